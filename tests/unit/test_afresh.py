"""A process that starts itself afresh: its descriptors, its pause, and signals at any moment."""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from process.afresh import PAUSE_S_MAX, pause_s

ROOT: Final = Path(__file__).resolve().parents[2]
DEADLINE_S: Final = 60.0
DESCRIPTORS_MAX: Final = 64
STARTS: Final = 20

LEAKS: Final = f"""
import os, signal, sys, threading
from confluent_kafka import Producer
from process import afresh

afresh.PAUSE_S_FIRST = 0.0
failed = afresh.begin()
print(failed, len(os.listdir("/dev/fd")), flush=True)
stopping = afresh.Stopping()
stopping.listen(lambda: None)
clients = [Producer({{"bootstrap.servers": "127.0.0.1:1", "log_level": 0}}) for _ in range(3)]
file = open(sys.executable, "rb")
os.set_inheritable(file.fileno(), True)
if failed < {STARTS}:
    starter = threading.Thread(target=stopping.start_afresh, kwargs={{"failed": failed, "reason": "Fenced"}})
    starter.start()  # as a watchdog does while the main thread is stuck
    starter.join()
"""

RESTARTS: Final = """
import os, signal, sys, threading
from process import afresh

def end(number, frame):
    sys.exit(143)

signal.signal(signal.SIGTERM, end)
afresh.unblock()
afresh.PAUSE_S_FIRST = 0.0
failed = afresh.begin()
stopping = afresh.Stopping()
stopping.listen(lambda: None)
threading.Thread(target=signal.pause, daemon=True).start()
print(failed, flush=True)
stopping.start_afresh(failed=failed, reason="Fenced")
sys.exit(0)  # it was asked to stop
"""


@contextmanager
def script(text: str, *, pass_fds: tuple[int, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Run a script that starts itself afresh."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(text)
        file.flush()
        with subprocess.Popen(
            [sys.executable, file.name],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            pass_fds=pass_fds,
            text=True,
            preexec_fn=_with_few_descriptors,  # noqa: PLW1509 - this process has no threads here
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def _with_few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS_MAX, DESCRIPTORS_MAX))


def test_starts_keep_no_descriptors_of_those_before() -> None:
    """Librdkafka opens pipes and sockets that exec would keep: 20 starts have as many as the first."""
    with script(LEAKS) as process:
        output, _ = process.communicate(timeout=DEADLINE_S)
    starts = [line.split() for line in output.splitlines()]

    assert process.returncode == 0
    assert [int(number) for number, _ in starts] == list(range(STARTS + 1))
    assert len({count for _, count in starts}) == 1, starts


def test_what_a_process_was_given_stays() -> None:
    """A descriptor that whoever started it holds a lock with, for example: it is there in the last start too."""
    with tempfile.TemporaryFile() as given, script(LEAKS, pass_fds=(given.fileno(),)) as process:
        target = f"/proc/{process.pid}/fd/{given.fileno()}"
        assert process.stdout is not None
        seen = [Path(target).readlink() for line in process.stdout if line.startswith(("0 ", "3 ", "9 "))]

        assert len(set(seen)) == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_signal_at_any_moment_of_a_restart_is_obeyed(seed: int) -> None:
    """In the pause, between the last look and exec, in the start of Python itself: none is lost."""
    with script(RESTARTS) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.0, 0.4))  # wherever it is then
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)

        assert process.returncode in {0, 128 + signal.SIGTERM, -signal.SIGTERM}


def test_the_pause_doubles_and_has_an_end() -> None:
    """A broker that comes back is noticed soon; one that stays away costs a start every 5 s."""
    pauses = [pause_s(failed) for failed in (1, 2, 3, 4, 5, 6, 1_000)]

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, PAUSE_S_MAX, PAUSE_S_MAX]


HANDS_ON: Final = """
import os, socket
from process import afresh

afresh.begin()
number = afresh.listening()
listening = socket.create_server(("127.0.0.1", 0)) if number is None else socket.socket(fileno=number)
print(os.getpid(), listening.getsockname()[1], flush=True)
if number is None:
    kept = os.dup(listening.fileno())
    listening.close()
    afresh.replace_this_process(reason="CertificatesRenewed", listening=kept)
for _ in range(2):
    client, _ = listening.accept()
    client.sendall(os.environ["REFERRALS_RESTARTS"].encode())
    client.close()
"""


def test_what_listens_is_handed_on() -> None:
    """The next start is the same process at the same port, and who connects between the two is not refused."""
    with subprocess.Popen([sys.executable, "-c", HANDS_ON], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline().split()
        address = "127.0.0.1", int(first[1])
        with socket.create_connection(address, DEADLINE_S) as between:  # before the next start accepts
            assert process.stdout.readline().split() == first == [str(process.pid), first[1]]
            assert between.recv(100) == b"CertificatesRenewed=1"
        with socket.create_connection(address, DEADLINE_S) as later:
            assert later.recv(100) == b"CertificatesRenewed=1"
        assert process.wait(DEADLINE_S) == 0
