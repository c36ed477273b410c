"""`referrals acls`: the least that each component may do on a secured cluster, as commands or given at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from commands.saying import say
from operations.acls import PLACE, Acls, Component, OwnTopics, Right, commands, named, principals, rights
from operations.acls import said as in_words
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings

if TYPE_CHECKING:
    from process.settings import Settings

KIND_OF_PRINCIPAL: Final = "User:"


class PrincipalType(click.ParamType):
    """COMPONENT=PRINCIPAL; a principal may have further equals signs, as a certificate's subject does."""

    name = "principal"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Component, str]:  # noqa: ANN401, ARG002  click's
        """Return both."""
        component, _, principal = str(value).partition("=")
        if component not in list(Component):
            self.fail(f"{component!r} is no component: give one of {', '.join(Component)}, '=' and who it is")
        if not principal.startswith(KIND_OF_PRINCIPAL):
            self.fail(f"{principal!r} is no principal: it begins with {KIND_OF_PRINCIPAL}, for example User:stream")
        return Component(component), principal


def options(function: Callable[..., None]) -> Callable[..., None]:
    """Add what both commands are told: which components, and who they are."""
    only = click.option("--component", "chosen", multiple=True, type=click.Choice([each.value for each in Component]),
                        help="This one; can be given several times. Default: all.")  # fmt: skip
    pattern = click.option("--principals", "pattern", metavar="PATTERN",
                           help="Who the components are, with {component} for each one's name; default: User:, the "
                                "topics' prefix and {component}.")  # fmt: skip
    each = click.option("--principal", "given", multiple=True, type=PrincipalType(), metavar="COMPONENT=PRINCIPAL",
                        help="Who one of them is; can be given several times.")  # fmt: skip
    return only(pattern(each(function)))


@click.group()
def command() -> None:
    """Give each component the least that it needs on a secured Kafka."""


@command.command("print")
@options
@click.option("--command-config", metavar="FILE", help="What the commands connect with, as kafka-acls takes it.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each ACL instead.")
def print_(
    *,
    chosen: tuple[str, ...],
    pattern: str | None,
    given: tuple[tuple[Component, str], ...],
    command_config: str | None,
    as_json: bool,
) -> None:
    """Print kafka-acls commands that give each component what it needs; asks no cluster.

    Names follow REFERRALS_TOPIC_PREFIX and REFERRALS_APP_ID.
    """
    settings = find_settings()
    for component, (principal, granted) in _asked(settings, chosen, pattern, given).items():
        if not as_json:
            click.echo(f"# {component}")
            for line in commands(granted, principal, servers=settings.bootstrap_servers, command_config=command_config):
                click.echo(line)
            continue
        for right in granted:
            for operation in right.operations:
                told = {"component": component, "principal": principal, "resource": right.kind.name.lower()}
                told |= {"name": right.name, "pattern": right.pattern.name.lower(), "operation": named(operation)}
                click.echo(json_line(told))


@command.command()
@options
@click.option("--dry-run", is_flag=True, help="Say what would be added, and add nothing.")
def apply(
    *, chosen: tuple[str, ...], pattern: str | None, given: tuple[tuple[Component, str], ...], dry_run: bool
) -> None:
    """Add the ACLs that are missing, and name those that nobody needs; none is removed. Safe to repeat.

    Needs the rights Describe and Alter on the cluster. On a cluster where everybody may do what no ACL forbids, an ACL
    on a topic shuts everybody else out of it: give all components and other readers theirs at once.
    """
    settings = find_settings()
    require_kafka(settings, say)
    asked = _asked(settings, chosen, pattern, given)
    wanted = {
        binding: None
        for principal, granted in asked.values()
        for right in granted
        for binding in right.bindings(principal)
    }
    acls = Acls(settings)
    standing = acls.of([principal for principal, _ in asked.values()])
    missing = [binding for binding in wanted if binding not in standing]
    if not dry_run:
        acls.add(missing)
    for binding in missing:
        click.echo(f"{'would add' if dry_run else 'added'} {in_words(binding)}")
    click.echo(f"{len(missing)} {'to add' if dry_run else 'added'}, {len(wanted) - len(missing)} stood already")
    if not chosen:
        for binding in sorted(standing - wanted.keys(), key=in_words):
            click.echo(f"warning: {in_words(binding)}: no component needs it", err=True)


def _asked(
    settings: Settings, chosen: tuple[str, ...], pattern: str | None, given: tuple[tuple[Component, str], ...]
) -> dict[Component, tuple[str, list[Right]]]:
    """Return for each component who it is and what it needs."""
    from streams.app import engine_options  # noqa: PLC0415  `--help` needs no Faust

    if pattern is None:
        pattern = f"{KIND_OF_PRINCIPAL}{settings.topic_prefix}{PLACE}"
    if not pattern.startswith(KIND_OF_PRINCIPAL):
        raise click.UsageError(f"--principals {pattern!r}: a principal begins with {KIND_OF_PRINCIPAL}")
    app = engine_options(settings)
    own = OwnTopics([app.changelog(table) for table in app.tables], app.leader_topic)
    components = [Component(name) for name in chosen] or list(Component)
    who = principals(pattern, components, dict(given))
    needed = rights(settings, own)
    return {component: (who[component], needed[component]) for component in components}
