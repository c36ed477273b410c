"""Errors as a log may have them."""

from __future__ import annotations

from process.faults import named, where


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """Return an error that was raised, from another one."""
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_what_caused_an_error_is_named_behind_it() -> None:
    """Classes and places, no texts."""
    error = raised(ValueError("secret"), raised(KeyError("secret")))
    frames = where(error)

    assert [frame for frame in frames if "raised" not in frame] == ["from KeyError"]
    assert named(error).startswith("ValueError at tests/unit/test_faults_named.py:")
    assert "secret" not in str(frames)


def test_an_error_may_be_its_own_cause() -> None:
    """Mode raises a service's error again while it handles the one that came of it."""
    first, second = raised(ValueError()), raised(KeyError())
    first.__cause__, second.__cause__ = second, first

    assert [frame for frame in where(first) if "raised" not in frame] == ["from KeyError"]
