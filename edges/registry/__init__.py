"""The code registry: organisations and their secrets, referral codes, and the outbox that publishes them.

issuing.py        finds a mentor's code or makes it, once, whoever asks
outbox.py         the relay: stored codes to the codes topic, whoever dies in between
importing.py      mentors from CSV, with a code for each
organisations.py  organisations: made, changed, listed
badges.py         an organisation's own badges: made, changed, switched off
back_filling.py   a badge for those who had reached it before it was made, and who they are
secrets.py        their secrets: made, replaced, read
secret_box.py     the encryption of secrets, and the setting that has its keys
keys.py           `keys.json`: the installation's own secrets, where nobody has configured any
tokens.py         bearer tokens for the HTTP side
database.py       transactions for one organisation; what Postgres's errors mean
"""
