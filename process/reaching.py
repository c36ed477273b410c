"""Whether Kafka answers, found out within three seconds: what was tried, from which setting, and what to do.

librdkafka itself tries for as long as whoever asks has patience, and says then that it failed.
"""

from __future__ import annotations

import re
import time
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import KafkaException

from process.administrator import Administrator
from process.kafka_refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError

    from process.settings import Settings

LOOK_S: Final = 2.5
STEP_S: Final = 0.5
PATIENCE_S: Final = 30.0
"""How long a command that ends waits for a Kafka that is there and slow."""
RESTART_S: Final = 60.0
"""The same for one that may be about to start again: as long as `up` gives a broker, which a busy machine may need."""

_FAULT: Final = re.compile(
    r"(?:\w+://)?([^\s/]+)/\S+: (?:Connect to \S+ failed: |Failed to resolve '[^']*': )?(.*?)(?: \(after .*)?"
)
"""What librdkafka says of one address; but for plaintext the protocol stands before it."""
_VAIN: Final = ("Connection refused", "Name or service not known", "nodename nor servname", "No address associated")
"""Where nobody listens, or the name is none: waiting changes nothing that somebody does not see to."""

log = structlog.get_logger("kafka")


class KafkaAway(Exception):  # noqa: N818  read as what is wrong
    """Kafka does not answer; the message names addresses, setting and remedy."""


class Look:
    """One look at the cluster, by a client that looks on for as long as it is asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._faults: dict[str, str] = {}
        self._refused: str | None = None
        self._config = settings.kafka_client_config()
        config: dict[str, Any] = {**self._config, "error_cb": self._note, "log_level": 0}
        self._client = Administrator(config | {"reconnect.backoff.ms": 500, "reconnect.backoff.max.ms": 500})

    def answers(self, within_s: float, *, in_vain: bool = False) -> bool:
        """Tell whether the cluster answers in time; where nobody listens it is waited for only `in_vain`."""
        until_s = time.monotonic() + within_s
        while (left_s := until_s - time.monotonic()) > 0 and (in_vain or not self.is_vain):
            try:
                self._client.list_topics(timeout=min(STEP_S, left_s))
            except KafkaException:
                self._client.poll(0)  # hears what was wrong meanwhile
            else:
                return True
        return False

    @property
    def is_vain(self) -> bool:
        """Whether nobody listens at any of the addresses: of each that is known."""
        return all(self._faults.get(address, "").startswith(_VAIN) for address in self._addresses)

    @property
    def _addresses(self) -> list[str]:
        return [address.strip() for address in self._settings.bootstrap_servers.split(",")]

    def __str__(self) -> str:
        """Say what was tried, from which setting, what came of it, and what to do."""
        settings = self._settings
        tried = ", ".join(f"{address} ({self._faults.get(address, 'no answer')})" for address in self._addresses)
        if not settings.is_given("bootstrap_servers"):
            return (
                f"Kafka does not answer at {tried}, which is tried because REFERRALS_BOOTSTRAP_SERVERS is not set: "
                "start one with `referrals up`, or set the variable to where it is"
            )
        if self._refused is not None:
            return f"{self._refused} (tried: {tried})"
        protocol = settings.security_protocol
        return (
            f"Kafka does not answer at {tried}, which REFERRALS_BOOTSTRAP_SERVERS says: see that it runs there, can be "
            f"reached from here, and speaks {protocol} (REFERRALS_SECURITY_PROTOCOL)"
        )

    def _note(self, error: KafkaError) -> None:
        self._refused = refusal(self._config, error.str()) or self._refused
        found = _FAULT.fullmatch(error.str())
        if found is not None:
            self._faults[found[1]] = found[2]


def require_kafka(settings: Settings, say: Callable[[str], None], *, waits: bool = False) -> None:
    """See that Kafka answers, for a command that ends; what is slow is said, and waited for.

    Args:
        settings: where Kafka is.
        say: told what is waited for, and why.
        waits: also where nobody listens: it may be about to start again.

    Raises:
        KafkaAway: it does not.

    """
    look = Look(settings)
    if look.answers(LOOK_S):
        return
    if waits or not look.is_vain:
        patience_s = RESTART_S if waits else PATIENCE_S
        say(f"{look}; waiting for it, {patience_s:.0f} s at most")
        if look.answers(patience_s - LOOK_S, in_vain=waits):
            return
    raise KafkaAway(str(look))


def warn_without_kafka(settings: Settings) -> None:
    """Log soon where Kafka does not answer, for a component that waits for it; returns at once.

    Raises SettingsError where nothing says who we are there.
    """
    settings.kafka_client_config()

    def look_once() -> None:
        look = Look(settings)
        if not look.answers(LOOK_S):
            log.warning("kafka_away", reason=str(look), then="it is waited for")

    Thread(target=look_once, name="look for Kafka", daemon=True).start()
