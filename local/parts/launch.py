"""Becomes another program, once the kernel has been told that it shall not outlive its owner.

    python -I -S launch.py SIGNAL OWNER IDENTITY PROGRAM ARGUMENTS...

A script of its own and not a `preexec_fn`, which may deadlock in a process with threads. It keeps its process id.

SIGNAL is what the kernel sends this process when OWNER, its parent, dies (Linux; elsewhere the next start cleans up).
IDENTITY says as whom PROGRAM runs, because Postgres refuses to be root:
    same       as who started it
    namespace  as user 1000 of a user namespace, who is root outside: files stay root's
    nobody     as user 65534, who may still read every file, where user namespaces are forbidden
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
NAMESPACE_USER = 1000
NOBODY = 65534


def main() -> None:
    """Take the identity first, because that clears the signal, then ask for the signal, then become PROGRAM."""
    signal, owner, identity, *command = sys.argv[1:]
    if identity == "namespace":
        enter_namespace()
    elif identity == "nobody":
        become_nobody()
    if sys.platform == "linux":
        call("prctl", PR_SET_PDEATHSIG, int(signal))
        if os.getppid() != int(owner):  # it died before the call above
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  no shell is wanted


def enter_namespace() -> None:
    """Become an ordinary user of a new user namespace, mapped to the root of this one."""
    call("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")  # without which the kernel refuses the next line
    Path("/proc/self/gid_map").write_text(f"{NAMESPACE_USER} 0 1\n")
    Path("/proc/self/uid_map").write_text(f"{NAMESPACE_USER} 0 1\n")


def become_nobody() -> None:
    """Drop root but keep the capability to reach files below directories that only root may enter."""
    call("prctl", PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    mask = 1 << CAP_DAC_OVERRIDE
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    call("capset", header, struct.pack("=6I", mask, mask, mask, 0, 0, 0))  # effective, permitted, inheritable
    call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def call(name: str, *arguments: int | bytes) -> None:
    """Call a function of the C library that returns 0 where it succeeds."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        sys.exit(f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
