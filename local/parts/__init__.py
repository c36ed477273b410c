"""Real Kafka and real Postgres with nothing but Python, for the demo, for `up` and for the tests.

from local import parts

with parts.start(data_dir=None, durable=False, announce=print) as running:
    running.bootstrap_servers, running.database_url
"""

from local.parts.choosing import Kafka, Kind, Parts, Postgres, start
from local.parts.errors import PartsError

__all__ = ["Kafka", "Kind", "Parts", "PartsError", "Postgres", "start"]
