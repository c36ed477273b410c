"""The oracle: recomputes everything from the source topics and compares it with what the program made of them.

It shares no code with what it checks: it has its own reading of the contract's rules, its own partitioner and its own
normalisation of codes, each written as plainly as it can be. Where it and the program differ, one of them is wrong.

    records.py       what is read: source records, dead letters, milestones, rows
    events.py        the contract's events: what is usable, and what is not
    partitioning.py  where a code belongs
    layouts.py       which records came under which number of partitions
    pairs.py         rule 1: the state of one registration
    removed.py       what retention and compaction have removed, and what that may explain
    compaction.py    whose a code is, where compaction has removed its first issue
    fold.py          rules 1 to 7 over one partition: what each mentor's counts must be, and each record's disposition
    checkpoint.py    what a check found right, kept for the next one
    partial.py       counts of mentors of whom records are gone: bounds
    compare.py       expected against found: counts, milestones, dead letters, moved records
    postgres.py      expected against found: the tables
    history.py       expected against found: what happened when
    sums.py          expected against found: the sums of each organisation
    outputs.py       what the program wrote, from bytes to values
    gather.py        all of it, from the output topics
    sources.py       records of the source topics, and what the app's headers say of them
    reading.py       Kafka: every record that stood in a topic when the check began
    oracle.py        the whole check, in order
    report.py        what was compared and what differs
"""
