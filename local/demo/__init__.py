"""The demo: a whole installation, a believable programme on it, a live view, and the oracle's verdict at the end.

running.py        the demo from start to end
organisations.py  names, landing pages and secrets for the programme's organisations; the dashboard's address
scratch.py        names of its own, where the demo runs on somebody's servers
chaos.py          kills stream workers while the traffic runs
watching.py       looks at Kafka and Postgres once a second
figures.py        what is seen in one look, as values
pseudonyms.py     readable names for ids
frame.py          figures as a picture that fits the terminal
views.py          where the demo speaks to: a live terminal, or plain lines
"""
