"""Connections that end while an answer is awaited, one kind of request after the other: who asked is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from enum import IntEnum

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from edges.web import offsets
from models.topics import CLICKS
from operations.reading import TopicReader
from operations.topics import create_topics
from process import topics
from process.administrator import Administrator
from process.settings import Settings, load_settings
from process.topics import WantedTopic
from proof.verify.reading import Reader
from sinks.kafka_logs import KafkaLogs
from streams.app import engine_options
from streams.engine.cluster import Cluster
from streams.resharding import Resharding
from tests.cut_connections import Cutter, cut_kafka

pytestmark = pytest.mark.integration
TIMES = 2
"""More than one, so that asking again once would not do."""


class Request(IntEnum):
    """Kinds of requests, as Kafka's protocol numbers them."""

    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_FETCH = 9
    LIST_GROUPS = 16
    CREATE_TOPICS = 19
    DESCRIBE_CONFIGS = 32
    CREATE_PARTITIONS = 37
    ALTER_CONFIGS = 44


@pytest.fixture(scope="module")
def cutter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cutter]:
    """Give a broker behind one."""
    with cut_kafka(tmp_path_factory.mktemp("cut")) as cutter:
        yield cutter


@pytest.fixture(scope="module")
def installed(cutter: Cutter) -> Settings:
    """Give settings whose topics stand there."""
    settings = load_settings(bootstrap_servers=cutter.address, partitions=2, replication_factor=1)
    create_topics(settings)
    return settings


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the web side wait as long as everybody, instead of the second that a page has."""
    monkeypatch.setattr(offsets, "REQUEST_TIMEOUT_S", 30.0)


def administrator(settings: Settings) -> Administrator:
    """Give one that is connected: what is cut is a request of the test, not of its beginning."""
    admin = Administrator(settings.kafka_client_config())
    admin.list_topics(timeout=30)
    return admin


def clicks(settings: Settings) -> str:
    """Return the name of a topic that stands."""
    return CLICKS.full_name(settings.topic_prefix)


def makes(settings: Settings) -> None:
    """Make a topic."""
    wanted = WantedTopic(name="made", partitions=1, replicas=1)
    admin = administrator(settings)
    assert topics.make(admin, [wanted]) <= {"made"}
    assert "made" in topics.describe(admin, ["made"], made=["made"])


def describes(settings: Settings) -> None:
    """Ask for a topic's configuration."""
    assert topics.describe(administrator(settings), [clicks(settings)])[clicks(settings)].config


def grows(settings: Settings) -> None:
    """Let a topic have more partitions."""
    admin = administrator(settings)
    topics.make(admin, [WantedTopic(name="small", partitions=1, replicas=1)])
    topics.describe(admin, ["small"], made=["small"])
    topics.grow(admin, ["small"], 3)
    assert len(admin.list_topics("small", timeout=30).topics["small"].partitions) == 3


def mends(settings: Settings) -> None:
    """Set a bound of a topic."""
    wanted = WantedTopic(name=clicks(settings), partitions=2, replicas=1, bounds={"segment.bytes": 1 << 20})
    admin = administrator(settings)
    found = topics.describe(admin, [wanted.name])[wanted.name]
    assert topics.mend(admin, found, wanted)


def reads(settings: Settings) -> None:
    """Ask for a topic and its ends, as every command does that reads one."""
    with closing(TopicReader(settings, name="test")) as reader:
        assert reader.stands(clicks(settings))
        assert reader.partitions([clicks(settings)]) == {clicks(settings): 2}
        places = [(clicks(settings), 0), (clicks(settings), 1)]
        assert reader.spans(places).keys() == set(places)
        assert reader.spans(places, since=datetime(2026, 1, 1, tzinfo=UTC)).keys() == set(places)


def verifies(settings: Settings) -> None:
    """Ask for everything that `verify` asks for before it reads."""
    with closing(Reader(settings)) as reader:
        assert reader.partitions([CLICKS.name]) == {CLICKS.name: 2}
        assert reader.topic_ids([CLICKS.name])
        assert reader.spans({CLICKS.name: 2})


def takes_over(settings: Settings) -> None:
    """Ask for everything that a worker asks for before it reads."""
    cluster = Cluster(engine_options(settings))
    cluster.check_topics()
    assert cluster.sources([0, 1]).keys() == {0, 1}
    assert cluster.committed([0, 1])
    assert not cluster.has_state()


def looks_for_groups(settings: Settings) -> None:
    """Ask who is at work before the number of partitions is changed."""
    assert not Resharding(settings, 4)._at_work()  # noqa: SLF001 - the one question; all together want rows


def sinks(settings: Settings) -> None:
    """Ask for what a sink compares its positions with."""
    with closing(TopicReader(settings, name="test")) as reader:
        places = [(clicks(settings), 0), (clicks(settings), 1)]
        logs = KafkaLogs(dict(settings.kafka_client_config())).look(reader._consumer, places)  # noqa: SLF001 - any will do
    assert logs.keys() == set(places)


def serves(settings: Settings) -> None:
    """Ask how far everything is, as the web side does."""
    with closing(offsets.Offsets(settings)) as eyes:
        assert eyes.look().ends


CASES: list[tuple[Request, Callable[[Settings], None]]] = [
    (Request.CREATE_TOPICS, makes),
    (Request.DESCRIBE_CONFIGS, makes),
    (Request.METADATA, makes),
    (Request.DESCRIBE_CONFIGS, describes),
    (Request.METADATA, describes),
    (Request.CREATE_PARTITIONS, grows),
    (Request.METADATA, grows),
    (Request.ALTER_CONFIGS, mends),
    (Request.METADATA, reads),
    (Request.LIST_OFFSETS, reads),
    (Request.METADATA, verifies),
    (Request.LIST_OFFSETS, verifies),
    (Request.METADATA, takes_over),
    (Request.LIST_OFFSETS, takes_over),
    (Request.OFFSET_FETCH, takes_over),
    (Request.LIST_GROUPS, takes_over),
    (Request.LIST_GROUPS, looks_for_groups),
    (Request.METADATA, sinks),
    (Request.LIST_OFFSETS, sinks),
    (Request.METADATA, serves),
    (Request.LIST_OFFSETS, serves),
    (Request.OFFSET_FETCH, serves),
]


@pytest.mark.parametrize(("kind", "ask"), CASES, ids=[f"{kind.name}-{ask.__name__}" for kind, ask in CASES])
def test_who_asks_is_answered(
    kind: Request, ask: Callable[[Settings], None], cutter: Cutter, installed: Settings
) -> None:
    """A connection that ends twice with the answer outstanding changes nothing."""
    cutter.cut(kind, TIMES)
    ask(installed)
    assert cutter.cuts == TIMES


@pytest.mark.usefixtures("installed")
def test_the_client_alone_gives_up_at_once(cutter: Cutter) -> None:
    """So it is worth asking again; when this fails, librdkafka does it."""
    bare = AdminClient({"bootstrap.servers": cutter.address, "log_level": 0})
    bare.list_topics(timeout=30)
    cutter.cut(Request.LIST_GROUPS, 1)
    errors = bare.list_consumer_groups(request_timeout=30).result().errors
    assert [error.code() for error in errors] == [KafkaError._TRANSPORT]  # noqa: SLF001 - its name
