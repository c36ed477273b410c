"""What goes wrong with the parts."""


class PartsError(Exception):
    """Kafka or Postgres cannot be had as asked; the message names the culprit and the remedy."""
