"""What the stream app counts by, and what its workers are called in their group."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from process.setting_groups.kafka import DEFAULT_PREFIX
from process.setting_groups.kinds import DAY_S, TopicName

THRESHOLD_MAX = 2**31 - 1
"""In Postgres a badge's threshold is an integer of 4 bytes."""
FORMER_APP_ID = "referral-streams"
"""What the stream app was called under every prefix, before each prefix had a name of its own."""


def app_id_of(topic_prefix: str) -> str:
    """Return what the stream app is called where nobody says otherwise: no two prefixes have the same name.

    The default prefix keeps the name under which its state has always been kept.
    """
    return FORMER_APP_ID if topic_prefix == DEFAULT_PREFIX else f"{topic_prefix}stream"


class Stream(BaseModel):
    """The stream app."""

    thresholds: Annotated[tuple[int, ...], NoDecode] = Field(
        (1, 5, 10, 25), description="Confirmed registrations at which a milestone is emitted: 1,5,10,25."
    )
    waiting_records_max: int = Field(
        100_000, ge=0, description="Records of codes not issued yet that are kept, for each partition."
    )
    waiting_age_s: float = Field(30 * DAY_S, gt=0, description="Seconds a record of an unknown code is kept.")
    app_id: TopicName = Field(
        default_factory=lambda given: app_id_of(given.get("topic_prefix", DEFAULT_PREFIX)),
        description="Consumer group of the stream app, and first part of its transactional ids and changelogs; "
        "default: the topics' prefix and `stream`.",
    )
    session_timeout_s: float = Field(
        6.0, ge=6.0, le=300, description="Seconds without a heartbeat after which a worker's partitions move."
    )  # brokers refuse less than group.min.session.timeout.ms, 6 s unless configured
    group_instance_id: TopicName | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="A worker's name that outlives its process (static membership), of no other at the time: one "
        "that is back within REFERRALS_SESSION_TIMEOUT_S has its partitions again, and nobody else has moved. "
        "docs/kubernetes.md says when to use it.",
    )

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
