"""Settings that say what one word means as another: `word=meaning,word=meaning`."""

from __future__ import annotations


def read_pairs(text: str) -> dict[str, str]:
    """Return meaning by word; raise ValueError where a part is no pair, or a word comes twice.

    A word may hold `=`, a meaning may not: the last one divides them.
    """
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, is_there, meaning = part.rpartition("=")
        word, meaning = word.strip(), meaning.strip()
        if not (is_there and word and meaning):
            msg = f"{part[:100]!r} is no pair; give word=meaning, several separated by commas"
            raise ValueError(msg)
        if word in pairs:
            msg = f"{word[:100]!r} has two meanings; give it one"
            raise ValueError(msg)
        pairs[word] = meaning
    return pairs
