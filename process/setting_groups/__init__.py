"""Settings by what they are of; `process/settings.py` makes one of them all."""
