"""The tests move to another machine each day."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import date, timedelta

from commands import surroundings
from tests.contract import ROOT


def test_each_has_its_turn() -> None:
    """In as many days as there are surroundings each is met once, and a day has the same wherever it is asked."""
    first = date(2026, 11, 28)
    days = [first + timedelta(days=number) for number in range(len(surroundings.ALL))]
    assert {surroundings.of_day(day).name for day in days} == {each.name for each in surroundings.ALL}
    assert [surroundings.named(each.name) for each in surroundings.ALL] == list(surroundings.ALL)


def test_what_the_process_becomes_is_there() -> None:
    """The environment is another, and a port stays taken after `exec` has replaced who took it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    connect = f"import os, socket; socket.create_connection(('127.0.0.1', {port}), 5); print(os.environ['TZ'])"
    code = (
        "import os, sys\n"
        "from commands.surroundings import Surroundings, move_to\n"
        "there = {'environment': {'TZ': 'Pacific/Kiritimati'}, " + f"'taken_ports': ({port},)}}\n"
        "move_to(Surroundings(name='there', what='', **there))\n"
        f"os.execv(sys.executable, [sys.executable, '-c', {connect!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "Pacific/Kiritimati"
