"""The HTTP side: its address, where links lead, their channels, and clicks that wait for Kafka."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from process.addresses import web_address

_CHANNEL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_CHANNELS_MAX = 15  # a mentor has 16 with a name of their own (rule 6), and `unknown` is one of them
_PATH = re.compile(r"/(?![/\\])[!-~]*")  # of this server; two slashes, or a slash and a backslash, begin a host


class Web(BaseModel):
    """The HTTP side."""

    web_host: str = Field("127.0.0.1", description="Where the HTTP side listens.")
    web_port: int = Field(8080, ge=0, le=65535, description="Its port; 0: any that is free.")
    public_url: str | None = Field(
        None,
        description="How people reach the HTTP side, for share links; default: where it listens.",
    )
    neutral_url: str = Field("/welcome", description="Where links with an unknown code lead.")
    channels: Annotated[tuple[str, ...], NoDecode] = Field(
        (
            *("whatsapp", "sms", "email", "qr", "print", "facebook", "messenger", "instagram", "x", "linkedin"),
            *("telegram", "signal", "snapchat", "tiktok", "viber"),
        ),
        description="Channels that links and webhooks may name: whatsapp,sms,email; any other is counted as `other`.",
    )
    landing_parameters: Literal["all", "channel", "none"] = Field(
        "all", description="What landing pages get of a link's query beside the code: all, the channel alone, or none."
    )
    spool_dir: Path | None = Field(
        None, description="Where clicks wait until Kafka has them; default: `spool` in the data directory."
    )
    spool_bytes_max: int = Field(
        64 * 1024 * 1024,
        ge=4096,
        description="The most bytes of clicks that wait there; what comes after is not counted.",
    )

    @field_validator("channels", mode="before")
    @classmethod
    def _split_channels(cls, value: Any) -> Any:  # noqa: ANN401  the type is what is being found out
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("channels")
    @classmethod
    def _check_channels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        bad = [name for name in value if not _CHANNEL_NAME.fullmatch(name)]
        if bad or len(set(value)) != len(value) or len(value) > _CHANNELS_MAX:
            message = (
                f"{','.join(bad or value)!r}: give at most {_CHANNELS_MAX} different words of 1 to 32 characters, "
                "a-z, 0-9, '_' and '-', for example whatsapp,sms,email"
            )
            raise ValueError(message)
        return value

    @field_validator("public_url", "neutral_url")
    @classmethod
    def _check_web_address(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Let pass what people can be sent to; a host of other letters is written in ASCII."""
        if value is None or (info.field_name == "neutral_url" and _PATH.fullmatch(value)):
            return value
        try:
            address = web_address(value)
        except ValueError as fault:
            message = f"{value[:100]!r} is no address that people can be sent to: {fault}"
            raise ValueError(message) from None
        if info.field_name == "public_url" and (address.query or address.fragment):
            message = f"{value[:100]!r}: a code is put behind it, so it has no query and no fragment"
            raise ValueError(message)
        query = f"?{address.query}" if address.query else ""
        return f"{address.origin}{address.path}{query}" + (f"#{address.fragment}" if address.fragment else "")
