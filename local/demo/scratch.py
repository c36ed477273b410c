"""Names of the demo's own on servers that somebody gave: sample traffic never mixes with what is there.

Topics under another prefix, another consumer group, another database; all removed at the end.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from process.settings import Settings

REQUEST_TIMEOUT_S: Final = 30.0


@contextmanager
def scratch_names(settings: Settings, *, is_external: bool, announce: Callable[[str], None]) -> Iterator[Settings]:
    """Give settings under which the demo touches nothing of others, and remove what was made under them.

    Servers that the demo starts itself are its own anyway: then the settings are given back as they are. Raises
    KafkaAway where the Kafka that was given does not answer.
    """
    with ExitStack() as cleanup:
        name = f"demo{secrets.token_hex(4)}"
        if is_external and settings.is_given("bootstrap_servers"):
            from process.reaching import require_kafka  # noqa: PLC0415  the usual demo does not need it

            require_kafka(settings, announce)  # else what is removed at the end would be waited for
            settings = settings.model_copy(update={"topic_prefix": f"{name}.", "app_id": f"{name}.stream"})
            announce(f"on the Kafka given: topics {name}.*, removed at the end")
            cleanup.callback(_delete_topics, settings)
        if is_external and settings.is_given("database_url"):
            from local.parts.databases import create_database  # noqa: PLC0415  the usual demo does not need it

            announce(f"on the Postgres given: database {name}, dropped at the end")
            cleanup.callback(_drop_database, settings.database_url, name)
            settings = settings.model_copy(update={"database_url": create_database(settings.database_url, name)})
        yield settings


def _delete_topics(settings: Settings) -> None:
    from process.administrator import Administrator  # noqa: PLC0415  the usual demo does not need it

    admin = Administrator({**settings.kafka_client_config(), "log_level": 2})
    topics = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    ours = [name for name in topics if name.startswith(settings.topic_prefix)]
    if ours:
        for future in admin.delete_topics(ours, operation_timeout=REQUEST_TIMEOUT_S).values():
            future.result()


def _drop_database(url: str, name: str) -> None:
    import psycopg  # noqa: PLC0415  the usual demo does not need it
    from psycopg import sql  # noqa: PLC0415  the same

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
