"""`referrals db roles`: a Postgres login for each component with the least that it needs, as SQL or made at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from process.faults import said
from process.lines import json_line
from process.running import find_settings

if TYPE_CHECKING:
    from process.settings import Settings
    from sinks.logins import Applied, Login

WITH_LOGIN: Final = (
    *("stream", "badges", "counts", "web", "registry", "reconcile", "dead-letters"),
    *("mail", "erase-member", "verify"),
    "migrations",
)
"""As `sinks.logins` has them: `--help` needs no Postgres."""


class OfComponent(click.ParamType):
    """COMPONENT=NAME, of its login or of a variable."""

    name = "login"

    def __init__(self, what: str) -> None:
        self._what = what

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:  # noqa: ANN401, ARG002  click's
        """Return both."""
        component, _, name = str(value).partition("=")
        if component not in WITH_LOGIN or not name:
            self.fail(f"{value!r}: give one of {', '.join(WITH_LOGIN)}, '=' and {self._what}")
        return component, name


def options(function: Callable[..., None]) -> Callable[..., None]:
    """Add what both commands are told: which components, and what their logins are called."""
    only = click.option("--component", "chosen", multiple=True, type=click.Choice(WITH_LOGIN),
                        help="This one; can be given several times. Default: all.")  # fmt: skip
    pattern = click.option("--logins", "pattern", metavar="PATTERN",
                           help="What the logins are called, with {component} for each one's name; default: the "
                                "topics' prefix and {component}.")  # fmt: skip
    each = click.option("--login", "given", multiple=True, metavar="COMPONENT=LOGIN", type=OfComponent("its login"),
                        help="What one of them is called; can be given several times.")  # fmt: skip
    return only(pattern(each(function)))


@click.group()
def command() -> None:
    """Give each component a login of its own in Postgres, and the tables to an owner who cannot log in."""


@command.command("print")
@options
def print_(*, chosen: tuple[str, ...], pattern: str | None, given: tuple[tuple[str, str], ...]) -> None:
    """Print SQL that makes the roles and logins and hands the tables over; asks no database.

    For who may run it in the database of REFERRALS_DATABASE_URL, after `db migrate`. Passwords are left out: behind
    each login stands what psql is told.
    """
    from sinks.logins import database_of, statements  # noqa: PLC0415  `--help` needs no psycopg

    settings = find_settings()
    for statement in statements(_asked(settings, chosen, pattern, given), database_of(settings.database_url)):
        click.echo(f"{statement}\n")


@command.command()
@options
@click.option("--new-password", "renewed", multiple=True, type=click.Choice(WITH_LOGIN), metavar="COMPONENT",
              help="Give this one a new password though its login stands; can be given several times.")  # fmt: skip
@click.option("--password-from", "variables", multiple=True, type=OfComponent("a variable with its password"),
              metavar="COMPONENT=VARIABLE",
              help="Let this one have the password that a variable has; can be given several times.")  # fmt: skip
@click.option("--no-passwords", is_flag=True, help="Make none: the logins prove themselves in another way.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def apply(
    *,
    chosen: tuple[str, ...],
    pattern: str | None,
    given: tuple[tuple[str, str], ...],
    renewed: tuple[str, ...],
    variables: tuple[tuple[str, str], ...],
    no_passwords: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the roles and logins that are missing, and hand the tables over; all or nothing, safe to repeat.

    As somebody who may make roles, and owns the tables or is a superuser. A login that is made gets a password, which
    is printed once, in the address that is its component's REFERRALS_DATABASE_URL; one from a variable is not printed.
    Nothing is taken from a login that stands; what it has beyond its need is named.
    """
    import psycopg  # noqa: PLC0415  `--help` needs none of it

    from sinks import logins  # noqa: PLC0415  the same

    settings = find_settings()
    asked = _asked(settings, chosen, pattern, given)
    brought = _brought(variables, {login.component for login in asked})
    try:
        done = logins.apply(
            settings.database_url,
            asked,
            new_passwords=renewed,
            with_passwords=not no_passwords,
            given_passwords=brought,
            dry_run=dry_run,
        )
    except psycopg.errors.InsufficientPrivilege as error:
        raise click.ClickException(
            f"{error.diag.message_primary}: REFERRALS_DATABASE_URL must name somebody who may make roles, and who owns "
            "the tables or is a superuser"
        ) from None
    except psycopg.OperationalError as error:
        raise click.ClickException(said(error)) from None
    for component in brought:  # whoever brought it has it
        done.passwords.pop(component, None)
    if as_json:
        click.echo(json_line(_for_machines(settings, asked, done, dry_run=dry_run)))
    else:
        _tell(settings, asked, done, dry_run=dry_run)
    for line in done.beyond:
        click.echo(f"warning: {line}, and needs none of it", err=True)


def _asked(
    settings: Settings, chosen: tuple[str, ...], pattern: str | None, given: tuple[tuple[str, str], ...]
) -> list[Login]:
    from sinks.logins import PLACE, logins  # noqa: PLC0415  `--help` needs no psycopg

    if pattern is None:
        pattern = f"{settings.topic_prefix}{PLACE}"
    elif PLACE not in pattern:
        raise click.UsageError(f"--logins {pattern!r}: write {PLACE} where the component's name is")
    return logins(pattern, chosen or WITH_LOGIN, dict(given))


def _brought(variables: tuple[tuple[str, str], ...], asked: set[str]) -> dict[str, str]:
    """Return the passwords that variables have, by component; one that has none would be made up, and so is refused."""
    for component, _ in variables:
        if component not in asked:
            raise click.UsageError(f"--password-from {component}=...: name it by --component {component} too")
    missing = [name for _, name in variables if not os.environ.get(name)]
    if missing:
        raise click.UsageError(f"not set, and a login's password: {', '.join(missing)}")
    return {component: os.environ[name] for component, name in variables}


def _tell(settings: Settings, asked: list[Login], done: Applied, *, dry_run: bool) -> None:
    """Say for people what was done; a dry run's passwords are nobody's."""
    from sinks.logins import address, database_of  # noqa: PLC0415  `--help` needs no psycopg

    would = "would have " if dry_run else ""
    for role in done.made_roles:
        click.echo(f"{would}created role {role}")
    for login in asked:
        if login in done.created or login in done.changed:
            verb = "created" if login in done.created else "changed"
            click.echo(f"{would}{verb} login {login.name}, with {' and '.join(login.roles)} and nothing else")
        password = done.passwords.get(login.component)
        if password is not None and not dry_run:
            click.echo(f"  REFERRALS_DATABASE_URL={address(settings.database_url, login.name, password)}")
    if done.handed_over:
        click.echo(f"{would}given {done.handed_over} tables to referrals_owner, who cannot log in")
    if done.shut_out:
        database = database_of(settings.database_url)
        click.echo(
            f"{would}closed the database {database} to who has no right of his own; for somebody else who reads it: "
            f'GRANT CONNECT ON DATABASE "{database}" TO ...'
        )
    stood = len(asked) - len(done.created) - len(done.changed)
    click.echo(f"{stood} of {len(asked)} logins stood already")


def _for_machines(settings: Settings, asked: list[Login], done: Applied, *, dry_run: bool) -> dict[str, Any]:
    from sinks.logins import address  # noqa: PLC0415  `--help` needs no psycopg

    told = []
    for login in asked:
        password = None if dry_run else done.passwords.get(login.component)
        url = None if password is None else address(settings.database_url, login.name, password)
        state = "created" if login in done.created else "changed" if login in done.changed else "stood"
        told.append(
            {"component": login.component, "login": login.name, "roles": login.roles, "state": state}
            | {"database_url": url}
        )
    return {
        "dry_run": dry_run,
        "logins": told,
        "roles_created": done.made_roles,
        "tables_handed_over": done.handed_over,
        "beyond": done.beyond,
    }
