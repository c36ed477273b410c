"""A whole installation on this machine: Kafka, Postgres, topics, tables, and every component under a supervisor.

components.py   the components as a table: what each reads, under which consumer group
starting.py     starts it all, in order, and stops it all; the composition root of `up`, `demo` and the chaos tests
readiness.py    waits until the components have their partitions and the HTTP side is ready
web.py          the HTTP side's port and address
monitoring.py   the ports at which the others answer /metrics and /health
tending.py      starts Kafka or Postgres again when it has ended
holder.py       who uses a data directory
"""

from local.installation.components import BADGES, COMPONENTS, COUNTS, STREAM, Component
from local.installation.starting import Installation, start_installation
from local.installation.web import WEB

__all__ = [
    "BADGES",
    "COMPONENTS",
    "COUNTS",
    "STREAM",
    "WEB",
    "Component",
    "Installation",
    "start_installation",
]
