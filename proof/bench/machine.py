"""How busy the machine is with what is not measured: figures taken beside other work are worth less."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

import psutil

from local.parts import Parts
from local.parts.brokers import ReplicatedKafka


def foreign_cpu_s(parts: Parts, worker_pids: Iterable[int]) -> float:
    """Return the CPU seconds used on this machine so far by others than these workers, Kafka and ourselves."""
    machine = psutil.cpu_times()
    idle_s = machine.idle + getattr(machine, "iowait", 0.0)
    counted_twice_s = getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0)
    ours_s = cpu_s(os.getpid()) + brokers_cpu_s(parts) + sum(map(cpu_s, worker_pids))
    return sum(machine) - idle_s - counted_twice_s - ours_s


def brokers_cpu_s(parts: Parts) -> float:
    """Return the CPU seconds that Kafka has used so far."""
    kafka = parts.kafka
    return sum(map(cpu_s, kafka.pids if isinstance(kafka, ReplicatedKafka) else [kafka.pid]))


def cpu_s(pid: int) -> float:
    """Return the CPU seconds used so far by a process, user and system, of all its threads."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def tree_cpu_s(pid: int) -> float:
    """Return the same of a process with all that it has started."""
    process = psutil.Process(pid)
    ended = process.cpu_times()
    total = cpu_s(pid) + float(ended.children_user + ended.children_system)
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += cpu_s(child.pid)
    return total
