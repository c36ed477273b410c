"""How processes run: where they keep data, when they reconcile, and what they say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from process.addresses import web_address

_PORT_MAX = 65_535
_ROOT = Path(__file__).resolve().parents[2]


def _default_data_dir() -> Path:
    """`.referrals` in the checkout; where the program is installed apart from one, in the current directory."""
    is_checkout = (_ROOT / "referrals").is_file()
    return (_ROOT if is_checkout else Path.cwd()) / ".referrals"


class Processes(BaseModel):
    """Processes."""

    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Where `up` and `parts` keep Kafka's and Postgres's data; default: `.referrals` in the checkout, "
        "or in the current directory where there is none.",
    )
    maven_url: str | None = Field(None, description="Mirror that Kafka's jars are fetched from; default Maven Central.")
    reconcile_at: str = Field(
        "0 3 * * *",
        description="When the leader reconciles, as crontab says, in UTC: */10 * * * * every ten minutes; off: never. "
        "Organisations with an interval of their own (reconcile configure --every) have theirs.",
    )
    monitoring_host: str = Field(
        "127.0.0.1",
        description="Where stream, badges, counts and mail answer /metrics, /health/live and /health/ready; who "
        "reaches it may ask.",
    )
    monitoring_port: int | Literal["off"] | None = Field(
        None,
        description="Its port; 0: any that is free, as the log says; off: none. Default: 9464 for stream, 9465 for "
        "badges, 9466 for counts, 9467 for mail, or any that is free where somebody has it. `web` answers at its own.",
    )
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else json.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Where traces are sent, by OTLP over HTTP: http://collector:4318; default: nowhere. "
        "docs/operate says what they show.",
    )
    otel_exporter_otlp_traces_endpoint: str | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        description="The same as the whole address, where it is not /v1/traces at the other.",
    )

    @field_validator("monitoring_port", mode="before")
    @classmethod
    def _check_port(cls, value: Any) -> Any:  # noqa: ANN401  the type is what is being found out
        if value is None or value == "off":
            return value
        text = str(value).strip()
        if not text.isdecimal() or int(text) > _PORT_MAX:
            message = f"{text[:20]!r} is no port: give 1 to {_PORT_MAX}, 0 for any that is free, or off"
            raise ValueError(message)
        return int(text)

    @field_validator("reconcile_at")
    @classmethod
    def _check_crontab(cls, value: str) -> str:
        if value != "off":
            from croniter import croniter  # type: ignore[import-untyped]  # noqa: PLC0415  seldom given

            try:
                croniter(value).get_next()
            except ValueError:  # also for a time that never comes
                message = f"{value!r} is not what crontab understands; give for example '0 3 * * *', or off"
                raise ValueError(message) from None
        return value

    @field_validator("otel_exporter_otlp_endpoint", "otel_exporter_otlp_traces_endpoint")
    @classmethod
    def _check_collector(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                web_address(value)
            except ValueError as fault:
                message = f"is no address of a collector ({fault}); give for example http://127.0.0.1:4318"
                raise ValueError(message) from None  # without the value: it may hold a password
        return value
