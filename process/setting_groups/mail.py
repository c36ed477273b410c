"""Mail: the server that takes it, whom it is from, and whether links in it sign people in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from process.addresses import is_loopback

_SMTPS_PORT = 465


class Mail(BaseModel):
    """Mail."""

    smtp_host: str | None = Field(
        None, description="The mail server that takes this installation's mail; default: no mail is sent."
    )
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="Its port; default: 587 with starttls, 465 with tls, 25 with none."
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the way to it is secured; none: on this machine, or where it is asked for."
    )
    smtp_username: str | None = Field(None, description="What this installation signs in there with, if it must.")
    smtp_password: SecretStr | None = Field(None, description="And by which password.")
    smtp_ca_location: Path | None = Field(
        None, description="File with the certificates of its authority (PEM); default: those of the system."
    )
    mail_from: str | None = Field(
        None, description="Whom mail is from: Referrals <referrals@example.org>; needed with REFERRALS_SMTP_HOST."
    )
    mail_sign_in: bool = Field(
        default=False,
        description="Whether who has confirmed a mail address on a page can have a link sent there that signs him in.",
    )

    @field_validator("mail_from")
    @classmethod
    def _check_mail_from(cls, value: str | None) -> str | None:
        if value is not None:
            from process.mail_addresses import BadAddress, read_sender  # noqa: PLC0415  30 ms, and seldom given

            try:
                read_sender(value)
            except BadAddress as fault:
                message = f"{value[:100]!r} is nobody whom mail can be from: {fault}"
                raise ValueError(message) from None
        return value

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if self.smtp_host is not None:
            if self.mail_from is None:
                message = "REFERRALS_SMTP_HOST is set and REFERRALS_MAIL_FROM is not: say whom mail is from"
                raise ValueError(message)
            if "smtp_security" not in self.model_fields_set and self.smtp_port == _SMTPS_PORT:
                message = "REFERRALS_SMTP_PORT is 465, where TLS comes first: set REFERRALS_SMTP_SECURITY to tls"
                raise ValueError(message)
        if self.mail_sign_in and self.smtp_host is None:
            message = "REFERRALS_MAIL_SIGN_IN is set, and REFERRALS_SMTP_HOST is not"
            raise ValueError(message)
        if self.smtp_username is not None and self.smtp_security == "none" and not is_loopback(self.smtp_host or ""):
            message = (
                "REFERRALS_SMTP_SECURITY is none, and a password would cross the network: set it to starttls or tls"
            )
            raise ValueError(message)
        return self
