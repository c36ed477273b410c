"""Exactly-once epochs for Faust: record batches in, one transaction for each epoch out.

A generic engine: it knows nothing of what the records mean. Faust stays the stream processor (worker,
consumer group, tables, co-partitioned assignment, timers); the engine replaces, through Faust's own plug-in
points, how records come in and how changes go out. Read in this order:

    options.py            what an application tells the engine
    errors.py             why a worker leaves
    clients.py            Kafka's clients, as the engine asks for them
    credentials.py        who the worker is to a secured cluster, for aiokafka as for librdkafka
    batch.py              a batch of records; what a fold gives back
    standing.py           where rows stand, as part of the state, and what a new owner makes of it
    epoch.py              changes, outgoing records and where the rows stand, committed together
    producer.py           the transactional producer of a source partition
    direct_producer.py    a transactional producer in three requests
    record_batches.py     records as the batches in which they are sent
    partitioner.py        where a key belongs
    broker_connection.py  a connection to one broker, for a thread that asks and waits
    changelog.py          rows from a changelog, read to its end
    partition.py          a source partition owned by this worker: rows, positions, epoch, producer
    cluster.py            what the cluster says of topics and offsets
    committing.py         an epoch committed, at a second try where a broker's death interrupted the first
    rights.py             the error that says which right is missing
    progress.py           how far threads have come
    isolation.py          the record at which a fold fails, found and set aside
    takeover.py           fence, load, judge; and the partitions that were refused
    counters.py           what a worker counts of its work
    idle.py               partitions about which somebody decides while their owner has nothing to commit
    engine.py             ownership, folding, committing, back-pressure, leaving
    membership.py         what a refused join means, and how to leave the group at once
    header_names.py       header names that are not UTF-8
    parsing.py            fetched data to records, a whole batch at a time
    fetching.py           what aiokafka fetched, so that nothing is lost on the way
    transport.py          batches and epochs, as Faust is given them
    recovery.py           tables and their recovery, as Faust is given them
    signs.py              of everything that has something to do, a value that changes with progress
    watchdog.py           ends a worker in which something stands still
    metrics.py            what of it is shown, in Prometheus's form
    health.py             whether a worker lives, and is up to date
    app.py                the Faust app that uses them
    deciding.py           what a person does about a partition's state: look, accept, rebuild
    resharding.py         rows laid out for another number of partitions
"""
