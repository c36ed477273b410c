"""The stream app's name on the cluster, and what may stand under it already.

The name is consumer group, first part of the transactional ids and of the changelogs. It follows the topics' prefix, so
installations do not meet. Until each prefix had a name of its own, all had one: whoever ran another prefix under it
has its state there, and would begin anew, beside it, without a word.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from models.topics import SOURCES
from process.setting_groups.stream import FORMER_APP_ID
from streams.engine.cluster import Cluster
from streams.engine.errors import NameTaken

if TYPE_CHECKING:
    from process.settings import Settings
    from streams.engine.options import EngineOptions

VARIABLE: Final = "REFERRALS_APP_ID"

log = structlog.get_logger("stream")


def check_name(settings: Settings, options: EngineOptions, cluster: Cluster) -> None:
    """See that the app finds its own state under its name, and nobody else's.

    Blocks. What is an error may be right under another name, which somebody has to say; what may be over (another
    installation ran under the name, and has its own now) is a warning.

    Raises:
        NameTaken: the state of this prefix is kept under the name of before.
        KafkaException: the cluster does not answer.

    """
    if _is_derived(settings) and not cluster.has_state():
        former = replace(options, app_id=FORMER_APP_ID)
        if Cluster(former).has_state_of_sources():
            raise NameTaken(
                f"the topics {settings.topic_prefix}* were counted under the name {FORMER_APP_ID} so far, and nothing "
                f"is kept under {settings.app_id}: set {VARIABLE}={FORMER_APP_ID} to go on with what is counted, if no "
                f"other installation works under that name, or {VARIABLE}={settings.app_id} to count everything anew "
                "under this one"
            )
    for prefix in _others(settings, cluster):
        log.warning(
            "name_shared",
            name=settings.app_id,
            other_prefix=prefix,
            remedy="its offsets are kept under this name too, so rows may hold its counts: give it another "
            f"{VARIABLE}; `referrals verify` tells whether the counts are right, `referrals state rebuild --all` mends "
            "them",
        )


def _others(settings: Settings, cluster: Cluster) -> list[str]:
    """Return the prefixes of other installations that work, or have worked, under this one's name."""
    prefixes = {
        name: name.removesuffix(topic.name)
        for name in cluster.topic_names()
        for topic in SOURCES
        if name.endswith(topic.name) and name != topic.full_name(settings.topic_prefix)
    }
    return sorted({prefixes[name] for name in cluster.with_offsets(prefixes)})


def _is_derived(settings: Settings) -> bool:
    """Tell whether the name is one that nobody has chosen and that was another before."""
    return not settings.is_given("app_id") and settings.app_id != FORMER_APP_ID
