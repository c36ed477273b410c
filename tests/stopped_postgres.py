"""A Postgres that is stopped, as by SIGSTOP or a disk that hangs: its connections stay, and nobody answers on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from local.parts import Parts


@contextmanager
def stopped(parts: Parts) -> Iterator[None]:
    """Stop it for the body, with all its processes."""
    server = psutil.Process(parts.postgres.pid)
    every = [server, *server.children(recursive=True)]
    for process in every:
        process.suspend()
    try:
        yield
    finally:
        for process in every:
            process.resume()
