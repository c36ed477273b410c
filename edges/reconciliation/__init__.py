"""Reconciliation: confirmations that never came, found by asking the membership system.

errors.py         what can go wrong
mapping.py        what an organisation has said of its list: columns, words, marks
times.py          a time as membership systems write it, and what means "not set"
members.py        a row of the membership system, read as a member
deciding.py       which of the members' words are missing in the registrations topic: pure
address.py        which addresses may be asked
endpoint.py       HTTP with bounds: retries, size, one origin
oauth.py          tokens by OAuth 2.0's client credentials
documents.py      a page of JSON as rows, broken ones among them
paging_names.py   what systems call that which says how a list goes on
continuation.py   where a list goes on, and whether it has ended
pages.py          a source as pages of rows: JSON, OData, CSV
opening.py        a source's endpoint with what it asks for
preview.py        what the first page would be made of, before it is saved
topic.py          what the registrations topic says of the pairs asked for
store.py          sources, runs and the lock, in Postgres
runs.py           what a source, a run and its counts are
history.py        the runs that were, and what they left
tokens.py         what opens the membership system: a secret of the organisation
walk.py           one organisation's run on its way through the pages
reconciler.py     the runs of many organisations, round by round
configuring.py    where an organisation's members are listed: written by an operator
"""
