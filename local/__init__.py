"""Everything together on one machine: what `parts`, `up`, `demo` and the tests start.

parts/         real Kafka and real Postgres with nothing but Python; the supervisor
installation/  a whole installation: parts, topics, tables and every component
sample/        a believable referral programme, its faults and its pace
demo/          that programme on an installation, with a live view and the oracle's verdict
"""
