"""Clicks on share links: who is counted, and how none is lost on the way to Kafka."""
