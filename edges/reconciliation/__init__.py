"""Reconciliation: confirmations that never came, found by asking the membership system.

errors.py         what can go wrong
members.py        a row of the membership system, read as a member
deciding.py       which of the members' words are missing in the registrations topic: pure
address.py        which addresses may be asked
endpoint.py       HTTP with bounds: retries, size, one origin
pages.py          a source as pages of rows: JSON, OData, CSV
topic.py          what the registrations topic says of the pairs asked for
store.py          sources, runs and the lock, in Postgres
runs.py           what a source, a run and its counts are
tokens.py         the membership system's bearer token: a secret of the organisation
walk.py           one organisation's run on its way through the pages
reconciler.py     the runs of many organisations, round by round
configuring.py    where an organisation's members are listed: written by an operator
"""
