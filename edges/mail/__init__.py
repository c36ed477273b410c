"""Mail: what people have asked to be told, from an outbox in Postgres to a mail server, each thing once.

server.py     the conversation with the mail server, and what its answers mean
letter.py     a letter as text and as HTML
links.py      the links in a letter
contents.py   what is written: a first mail, news of a badge, a link that signs in
summary.py    what is written: the week
message.py    a letter as a message, with its headers
outbox.py     the outbox: taken, sent, tried again, given up
metrics.py    what is counted, and whether it is well
relay.py      the loop: what is due goes out
"""
