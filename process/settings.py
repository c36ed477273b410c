"""Every setting of the program: its name, its meaning, its bounds, and where Kafka's clients get theirs from.

A setting is the environment variable `REFERRALS_<NAME>`; nothing is read from files. A component takes the frozen
`Settings` it is given and never looks at the environment itself.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from process.addresses import is_loopback, web_address
from process.database_address import verified
from process.kafka_security import client_security, nobody, security_faults
from process.pairs import read_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

ENVIRONMENT_PREFIX = "REFERRALS_"
OTHER_VARIABLES = frozenset(
    f"REFERRALS_{name}"
    for name in (
        *("FAULT_POINT", "STARTS", "RESTARTS", "GIVEN_DESCRIPTORS", "LISTENING"),
        *("REQUIRE_BROWSER", "REQUIRE_FIREFOX", "TEST_PARTS", "TEST_CONTAINERS", "TEST_LONG"),
    )
)
"""What begins as settings do and is none: for tests, and what a worker hands to its next start."""
DAY_S = 24 * 60 * 60
THRESHOLD_MAX = 2**31 - 1
"""In Postgres a badge's threshold is an integer of 4 bytes."""
DEFAULT_PREFIX = "referrals."
FORMER_APP_ID = "referral-streams"
"""What the stream app was called under every prefix, before each prefix had a name of its own."""

_CHANNEL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_CHANNELS_MAX = 15  # a mentor has 16 with a name of their own (rule 6), and `unknown` is one of them

_PORT_MAX = 65_535
_SMTPS_PORT = 465
_TOPIC_CHARACTERS = re.compile(r"[A-Za-z0-9._-]*")  # what Kafka allows in a topic's name
_PATH = re.compile(r"/(?![/\\])[!-~]*")  # of this server; two slashes, or a slash and a backslash, begin a host
_ROOT = Path(__file__).resolve().parents[1]


class SettingsError(Exception):
    """A setting that cannot be used; the message names its variable, the fault and the remedy."""


def app_id_of(topic_prefix: str) -> str:
    """Return what the stream app is called where nobody says otherwise: no two prefixes have the same name.

    The default prefix keeps the name under which its state has always been kept.
    """
    return FORMER_APP_ID if topic_prefix == DEFAULT_PREFIX else f"{topic_prefix}stream"


def _default_data_dir() -> Path:
    """`.referrals` in the checkout; where the program is installed apart from one, in the current directory."""
    is_checkout = (_ROOT / "referrals").is_file()
    return (_ROOT if is_checkout else Path.cwd()) / ".referrals"


class Settings(BaseSettings):
    """The settings of one installation; equal for all components that work together."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    bootstrap_servers: str = Field("127.0.0.1:9092", description="Kafka's addresses: host:port, separated by commas.")
    database_ca_location: Path | None = Field(
        None,
        description="File with the certificates of the authority that vouches for Postgres (PEM); then no other server "
        "is believed. Default: the machine's authorities, for another machine's server. docs/postgres.md",
    )
    database_url: str = Field(
        "postgresql://127.0.0.1:5432/referrals", repr=False, description="Postgres: postgresql://user@host:port/name."
    )
    web_database_url: str | None = Field(
        None,
        repr=False,
        description="The same database by a login of the HTTP side's own, which has the role referrals_app and nothing "
        "else; `db migrate` makes it. Default: REFERRALS_DATABASE_URL.",
    )
    topic_prefix: str = Field(
        DEFAULT_PREFIX, description="First part of every topic's name; one for each installation."
    )
    partitions: int = Field(
        12,
        ge=1,
        le=1000,
        description="Partitions of the source topics; `topics create` makes them, `state reshard` adds some.",
    )
    replication_factor: int = Field(1, ge=1, le=10, description="Replicas of the topics that `topics create` makes.")

    thresholds: Annotated[tuple[int, ...], NoDecode] = Field(
        (1, 5, 10, 25), description="Confirmed registrations at which a milestone is emitted: 1,5,10,25."
    )
    waiting_records_max: int = Field(
        100_000, ge=0, description="Records of codes not issued yet that are kept, for each partition."
    )
    waiting_age_s: float = Field(30 * DAY_S, gt=0, description="Seconds a record of an unknown code is kept.")

    app_id: str = Field(
        default_factory=lambda given: app_id_of(given.get("topic_prefix", DEFAULT_PREFIX)),
        description="Consumer group of the stream app, and first part of its transactional ids and changelogs; "
        "default: the topics' prefix and `stream`.",
    )
    session_timeout_s: float = Field(
        6.0, ge=6.0, le=300, description="Seconds without a heartbeat after which a worker's partitions move."
    )  # brokers refuse less than group.min.session.timeout.ms, 6 s unless configured
    group_instance_id: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="A worker's name that outlives its process (static membership), of no other at the time: one "
        "that is back within REFERRALS_SESSION_TIMEOUT_S has its partitions again, and nobody else has moved. "
        "docs/kubernetes.md says when to use it.",
    )

    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Where `up` and `parts` keep Kafka's and Postgres's data; default: `.referrals` in the checkout, "
        "or in the current directory where there is none.",
    )
    maven_url: str | None = Field(None, description="Mirror that Kafka's jars are fetched from; default Maven Central.")
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
    secret_keys: SecretStr | None = Field(
        None,
        description="Keys that encrypt the organisations' secrets: VERSION:BASE64 of 32 bytes, several by commas; "
        "the highest version encrypts.",
    )
    jwt_secret: SecretStr | None = Field(None, description="HS256 secret of the API's tokens, at least 32 bytes.")
    jwt_jwks_url: str | None = Field(
        None, description="Keys of the API's tokens, where an identity provider signs them."
    )
    jwt_issuer: str = Field("referrals", description="What a token's `iss` must be.")
    jwt_audience: str = Field("referrals", description="What a token's `aud` must be.")
    sign_in_lasts_s: float = Field(
        7 * DAY_S,
        ge=300,
        le=90 * DAY_S,
        description="Seconds that somebody who signed in on a page stays so; a working week unless set otherwise.",
    )
    oidc_issuer: str | None = Field(
        None, description="An OpenID provider that people sign in with: its `issuer`. docs/sign-in.md says how."
    )
    oidc_client_id: str | None = Field(None, description="What this installation is called there.")
    oidc_client_secret: SecretStr | None = Field(None, description="Its secret there, unless it has none (PKCE alone).")
    oidc_name: str | None = Field(
        None, description="What people call the provider, for the button; default: its host.", max_length=60
    )
    oidc_scopes: str = Field("openid", description="What it is asked for, with spaces between: openid profile.")
    oidc_org_claim: str = Field("org", description="The claim with the organisation; a path has dots.")
    oidc_organisations: str = Field(
        "", description="What its words mean: WORD=UUID,WORD=UUID; * is any other. Default: they are our UUIDs."
    )
    oidc_role_claim: str = Field("role", description="The claim with the role, or several; a path has dots.")
    oidc_roles: str = Field(
        "",
        description="What its words mean: WORD=coordinator,WORD=org_admin,WORD=mentor; * is any other. Default: they "
        "are our roles' names.",
    )
    oidc_mentor_claim: str = Field("mentor_id", description="The claim with a mentor's id, where mentors sign in.")
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
    mail_sign_in: bool = Field(
        default=False,
        description="Whether who has confirmed a mail address on a page can have a link sent there that signs him in.",
    )
    mail_from: str | None = Field(
        None, description="Whom mail is from: Referrals <referrals@example.org>; needed with REFERRALS_SMTP_HOST."
    )
    spool_dir: Path | None = Field(
        None, description="Where clicks wait until Kafka has them; default: `spool` in the data directory."
    )
    spool_bytes_max: int = Field(
        64 * 1024 * 1024,
        ge=4096,
        description="The most bytes of clicks that wait there; what comes after is not counted.",
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
    reconcile_at: str = Field(
        "0 3 * * *",
        description="When the leader reconciles, as crontab says, in UTC: */10 * * * * every ten minutes; off: never. "
        "Organisations with an interval of their own (reconcile configure --every) have theirs.",
    )

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

    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else json.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="How Kafka is spoken to. PLAINTEXT is taken for granted on this machine alone: to reach another "
        "one it is set. docs/secure.md has what goes together.",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None, description="How this installation proves who it is, under SASL_SSL and SASL_PLAINTEXT."
    )
    sasl_username: str | None = Field(None, description="Its name (PLAIN, SCRAM).")
    sasl_password: SecretStr | None = Field(None, description="Its password (PLAIN, SCRAM).")
    sasl_oauth_token_url: str | None = Field(
        None,
        description="Where tokens are given for client id and secret (OAUTHBEARER); https, or http on this machine.",
    )
    sasl_oauth_client_id: str | None = Field(None, description="Its name where tokens are given (OAUTHBEARER).")
    sasl_oauth_client_secret: SecretStr | None = Field(None, description="Its secret there.")
    sasl_oauth_scope: str | None = Field(None, description="What is asked for there, if anything must be.")
    sasl_oauth_ca_location: Path | None = Field(
        None,
        description="File with the authorities that vouch for who gives tokens (PEM); without it those of the machine "
        "do, and never those of REFERRALS_SSL_CA_LOCATION.",
    )
    ssl_ca_location: Path | None = Field(None, description="File with the certificates of Kafka's authority (PEM).")
    ssl_certificate_location: Path | None = Field(
        None, description="File with this installation's own certificate, where Kafka asks for one (PEM)."
    )
    ssl_key_location: Path | None = Field(None, description="File with the key of that certificate (PEM).")
    ssl_key_password: SecretStr | None = Field(None, description="Password of that key, if it has one.")

    @field_validator("thresholds", mode="before")
    @classmethod
    def _split_thresholds(cls, value: Any) -> Any:  # noqa: ANN401  the type is what is being found out
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() for part in parts):
            message = f"{value!r} is not a list of whole numbers; give for example 1,5,10,25"
            raise ValueError(message)
        return tuple(int(part) for part in parts)

    @field_validator("thresholds")
    @classmethod
    def _check_thresholds(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or value[0] < 1 or list(value) != sorted(set(value)):
            message = f"{value} must be positive, ascending and each given once; give for example 1,5,10,25"
            raise ValueError(message)
        if value[-1] > THRESHOLD_MAX:
            message = f"{value[-1]:,} is more than a badge's threshold may be, {THRESHOLD_MAX:,}"
            raise ValueError(message)
        return value

    @field_validator("topic_prefix", "app_id", "group_instance_id")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        if value is not None and not _TOPIC_CHARACTERS.fullmatch(value):
            message = f"{value!r} may hold only letters, digits, '.', '_' and '-'"
            raise ValueError(message)
        return value

    @field_validator("monitoring_port", mode="before")
    @classmethod
    def _check_port(cls, value: Any) -> Any:  # noqa: ANN401  the same
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

    @field_validator("oidc_scopes")
    @classmethod
    def _check_scopes(cls, value: str) -> str:
        if "openid" not in value.split():
            message = f"{value[:100]!r} does not ask for `openid`, and then the provider does not say who signs in"
            raise ValueError(message)
        return " ".join(value.split())

    @field_validator("oidc_organisations", "oidc_roles")
    @classmethod
    def _check_pairs(cls, value: str) -> str:
        read_pairs(value)
        return value

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

    @field_validator("jwt_jwks_url", "oidc_issuer", "sasl_oauth_token_url")
    @classmethod
    def _check_keys_address(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if not parts.hostname or not (
                parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
            ):
                message = (
                    f"{value[:100]!r}: keys and who vouches for people come by https, or by http from this machine"
                )
                raise ValueError(message)
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

    @field_validator("bootstrap_servers")
    @classmethod
    def _check_addresses(cls, value: str) -> str:
        for address in value.split(","):
            host, port = _host_and_port(address)
            if not host or port is None:
                message = f"{address.strip()!r} is not an address; give host:port, several separated by commas"
                raise ValueError(message)
        return value

    @field_validator("database_url", "web_database_url")
    @classmethod
    def _check_database_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return value
        if urlsplit(value).scheme not in {"postgresql", "postgres"}:
            message = "is not a Postgres address; give postgresql://user:password@host:port/database"
            raise ValueError(message)  # without the value: it may hold a password
        return verified(value, info.data.get("database_ca_location"))

    @field_validator("database_ca_location")
    @classmethod
    def _check_database_ca(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            message = f"there is no file {value}"
            raise ValueError(message)
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
        if self.mail_sign_in and (self.smtp_host is None or self.oidc_issuer is not None):
            message = (
                "REFERRALS_MAIL_SIGN_IN is set, and REFERRALS_SMTP_HOST is not"
                if self.smtp_host is None
                else "REFERRALS_MAIL_SIGN_IN is set beside REFERRALS_OIDC_ISSUER: a link by mail would let in whom the "
                "provider has let go; unset one of them"
            )
            raise ValueError(message)
        if self.smtp_username is not None and self.smtp_security == "none" and not is_loopback(self.smtp_host or ""):
            message = (
                "REFERRALS_SMTP_SECURITY is none, and a password would cross the network: set it to starttls or tls"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _check_security(self) -> Self:
        if faults := list(security_faults(self)):
            raise ValueError("; ".join(faults))
        if "security_protocol" not in self.model_fields_set:
            for address in self.bootstrap_servers.split(","):
                host, _ = _host_and_port(address)
                if not is_loopback(host):
                    message = (
                        f"REFERRALS_BOOTSTRAP_SERVERS names {host}, another machine, and plaintext is used only where "
                        "asked for: set REFERRALS_SECURITY_PROTOCOL to SASL_SSL or SSL, or to PLAINTEXT if the network "
                        "between is yours alone"
                    )
                    raise ValueError(message)
        return self

    def is_given(self, field: str) -> bool:
        """Tell whether a setting was given, by environment or argument, rather than left at its default."""
        return field in self.model_fields_set

    def kafka_client_config(self) -> dict[str, str]:
        """Return what every librdkafka client (producer, consumer, admin) of ours is configured with first.

        Raises SettingsError where Kafka asks who we are, and nothing says so.
        """
        if (missing := nobody(self)) is not None:
            raise SettingsError(missing)
        return {"bootstrap.servers": self.bootstrap_servers, **client_security(self)}


_FOLLOWS: Final = "default_factory_not_called"
"""Pydantic's fault of a default that follows from other settings, where any of these is wrong: nobody has set it."""


def load_settings(**given: Any) -> Settings:  # noqa: ANN401  each is checked against its field
    """Read the settings from the environment; what is given by keyword goes before it.

    Raises SettingsError, with one line for each fault.
    """
    try:
        return Settings(**{given_as(field): value for field, value in given.items()})
    except ValidationError as error:
        faults = [fault for fault in error.errors(include_input=False) if fault["type"] != _FOLLOWS]
        raise SettingsError("\n".join(map(explain, faults))) from None
    except UnreadableSetting as error:
        raise SettingsError(str(error)) from None


def misspelt(names: Iterable[str]) -> list[str]:
    """Return a line for each variable that looks like a setting and is none, with the nearest that is one."""
    known = {variable_of(field) for field in Settings.model_fields}
    lines = []
    for name in sorted(names):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known | OTHER_VARIABLES:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
            hint = f"did you mean {near[0]}?" if near else "process/settings.py lists those that there are"
            lines.append(f"the variable {name} is no setting and changes nothing; {hint}")
    return lines


def explain(fault: Any) -> str:  # noqa: ANN401  pydantic's ErrorDetails
    """Say one of pydantic's faults in a line that begins with the variable's name."""
    message = str(fault["msg"]).removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    name = field_of(str(fault["loc"][0]))
    if name not in Settings.model_fields:
        return f"{ENVIRONMENT_PREFIX}{name.upper()}: {message}"
    return f"{variable_of(name)}: {message} ({Settings.model_fields[name].description})"


def given_as(field: str) -> str:
    """Return what pydantic calls a setting where it is given: its own name, or a standard's variable."""
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else None
    return alias if isinstance(alias, str) else field


def variable_of(field: str) -> str:
    """Return the variable that gives a setting: ours, or the one that a standard has for it."""
    name = given_as(field)
    return name if name != field else f"{ENVIRONMENT_PREFIX}{field.upper()}"


def field_of(variable: str) -> str:
    """Return the setting that a variable gives."""
    return variable.removeprefix(ENVIRONMENT_PREFIX).lower()


def _host_and_port(address: str) -> tuple[str, int | None]:
    """Split `host:port` or `[::1]:port`; the port is None where there is none that can be used."""
    try:
        parts = urlsplit(f"//{address.strip()}")
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None
