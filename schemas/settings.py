"""The page of settings, from `process/setting_groups/`: name, meaning, type, default, unit, and what a bad value says.

What a bad value says is not written but heard: each setting is given values that are wrong for most, and the first that
it refuses stands on the page with the very line that a command would print.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import PydanticUndefined

from process.setting_groups.kafka import Kafka
from process.setting_groups.kinds import DAY_S
from process.setting_groups.mail import Mail
from process.setting_groups.postgres import Postgres
from process.setting_groups.processes import Processes
from process.setting_groups.sign_in import SignIn
from process.setting_groups.stream import Stream
from process.setting_groups.web import Web
from process.settings import ENVIRONMENT_PREFIX, Settings, explain, field_of, given_as, variable_of
from process.version import VERSION

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

NAME: Final = "settings.md"

_GROUPS: Final[dict[type[BaseModel], str]] = {
    Kafka: "Kafka",
    Postgres: "Postgres",
    Stream: "Rules, and the stream app",
    Processes: "Processes",
    Web: "The HTTP side",
    SignIn: "Secrets, tokens and sign-in",
    Mail: "Mail",
}

_WORDS: Final = {
    bool: "`true` or `false`",
    str: "text",
    int: "whole number",
    float: "number",
    Path: "path",
    SecretStr: "secret text",
}
_WRONG: Final = ("sixty", "-1", "a b", "æ æ", "kafka", "ftp://example.org", "everything", "x" * 61)
_BOUNDS: Final = {Ge: ("ge", "at least"), Gt: ("gt", "more than"), Le: ("le", "at most"), Lt: ("lt", "less than")}

_HEAD: Final = """\
# Settings

<!-- Written by `referrals schemas` from process/setting_groups/; what is changed here is lost. -->

Every setting of Referral Streams {version} is an environment variable; nothing is read from files. All components of
an installation are given the same. A variable that is empty counts as not set. One that begins with `{prefix}` and is
no setting changes nothing, and `referrals` names it with the nearest that is one. A value that cannot be used ends a
command with exit code 2 and a line as it stands here, before anything is connected to.
"""


class _GivenAlone(Settings):
    """Settings that look at what they are given and not at the environment of whoever writes the page."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **_others: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave what is given by keyword as the one source."""
        return (init_settings,)


def settings_page() -> str:
    """Return the page, as Markdown."""
    return "\n".join([_HEAD.format(version=VERSION, prefix=ENVIRONMENT_PREFIX), *_entries()])


def _entries() -> Iterator[str]:
    for group, title in _GROUPS.items():
        yield f"## {title}\n"
        for name, field in group.model_fields.items():
            yield from _entry(name, field)


def _entry(name: str, field: FieldInfo) -> Iterator[str]:
    yield f"### {variable_of(name)}\n"
    yield f"{(field.description or '').replace('*', chr(92) + '*')}\n"  # no emphasis
    unit = _unit(name)
    yield f"- {_kind(field)}{f', in {unit}' if unit else ''}; {_default(field, unit)}"
    yield f"- {_complaint(name)}\n"


def _unit(name: str) -> str | None:
    """Return a setting's unit, which its name ends with."""
    if name.endswith("_s"):
        return "seconds"
    return "bytes" if "bytes" in name.split("_") else None


def _kind(field: FieldInfo) -> str:
    """Return a setting's type in words, with its bounds."""
    kinds = [_word(part) for part in _parts(field.annotation) if part is not NoneType]
    bounds = [
        f"{words} {_number(getattr(bound, attribute))}"
        for kind, (attribute, words) in _BOUNDS.items()
        for bound in field.metadata
        if isinstance(bound, kind)
    ]
    bounds += [f"at most {bound.max_length} characters" for bound in field.metadata if isinstance(bound, MaxLen)]
    return ", ".join([" or ".join(kinds), *bounds])


def _parts(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401  a type, of any form
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)


def _word(kind: Any) -> str:  # noqa: ANN401  the same
    if get_origin(kind) is Annotated:
        return _word(get_args(kind)[0])
    if get_origin(kind) is Literal:
        values = [f"`{value}`" for value in get_args(kind)]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if get_origin(kind) is tuple:
        return f"list of {_word(get_args(kind)[0])}s, separated by commas"
    return _WORDS[kind]


def _default(field: FieldInfo, unit: str | None) -> str:
    """Return what holds where a setting is not given."""
    if field.default_factory is not None:
        return "default: see above"
    value = field.default
    assert value is not PydanticUndefined, "a setting without a default would have to be set by everybody"  # noqa: S101
    if value is None:
        return "not set by default"
    if isinstance(value, tuple):
        return f"default `{','.join(map(str, value))}`"
    if isinstance(value, int | float):
        days = f" ({_number(value / DAY_S)} days)" if unit == "seconds" and value >= DAY_S else ""
        return f"default `{_number(value)}`{days}"
    return f"default `{value}`" if value else "empty by default"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _complaint(name: str) -> str:
    """Return a value that a setting refuses, and its line; or that it takes any."""
    for wrong in _WRONG:
        try:
            _GivenAlone.model_validate({given_as(name): wrong})
        except ValidationError as error:
            faults = error.errors(include_input=False)
            lines = [explain(fault) for fault in faults]
            of_itself = [line for fault, line in zip(faults, lines, strict=True) if _is_of(name, fault)]
            of_several = [line for fault, line in zip(faults, lines, strict=True) if not fault["loc"]]
            if of_itself or of_several:
                said = (of_itself or of_several)[0].removesuffix(f" ({Settings.model_fields[name].description})")
                return f"`{wrong}` is refused: `{said.replace('`', chr(39))}`"
    return "takes any text; that it is right is seen where it is used"


def _is_of(name: str, fault: Any) -> bool:  # noqa: ANN401  pydantic's ErrorDetails
    return bool(fault["loc"]) and field_of(str(fault["loc"][0])) == name
