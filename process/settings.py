"""Every setting of the program, of the groups in `setting_groups/`, and how settings are read.

A setting is the environment variable `REFERRALS_<NAME>`; nothing is read from files. A component takes the frozen
`Settings` it is given and never looks at the environment itself.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from process.kafka_security import client_security, nobody
from process.setting_groups.kafka import Kafka
from process.setting_groups.mail import Mail
from process.setting_groups.postgres import Postgres
from process.setting_groups.processes import Processes
from process.setting_groups.sign_in import SignIn
from process.setting_groups.stream import Stream
from process.setting_groups.web import Web

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


class SettingsError(Exception):
    """A setting that cannot be used; the message names its variable, the fault and the remedy."""


class Settings(Mail, SignIn, Web, Processes, Stream, Postgres, Kafka, BaseSettings):
    """The settings of one installation; equal for all components that work together.

    Pydantic reads the last group first, and what the stream app is called follows from the topics' prefix, Kafka's.
    """

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    @model_validator(mode="after")
    def _check_ways_in(self) -> Self:
        if self.mail_sign_in and self.oidc_issuer is not None:
            message = (
                "REFERRALS_MAIL_SIGN_IN is set beside REFERRALS_OIDC_ISSUER: a link by mail would let in whom the "
                "provider has let go; unset one of them"
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
            hint = f"did you mean {near[0]}?" if near else "schemas/settings.md lists those that there are"
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
