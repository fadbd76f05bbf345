"""Run a command and let nothing that it starts outlive it or its parent.

    python guard.py [--lock FILE] COMMAND ARGUMENT...

Standard input is a pipe that the starter holds open and never writes to. It ends when the starter closes it or dies,
by `kill -9` too, which no handler in the starter itself could notice. Exits with the command's code; 128 + N when a
signal N killed it.

With `--lock` the command begins when no other holds FILE. This process and the command hold it, not the starter: so it
is free only when both have ended, also after the starter was killed.
"""

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

SECONDS_TO_END = 3.0  # after an interrupt, before a kill
_SECONDS_BETWEEN_LOOKS = 0.05


def main() -> int:
    # A server started in the background ignores interrupts, and what it starts inherits that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments, inherited = sys.argv[1:], []
    if arguments[0] == "--lock":
        _, path, *arguments = arguments
        inherited = [os.open(path, os.O_RDWR | os.O_CREAT, 0o644)]
        if not wait_for_lock(inherited[0], path):
            return 128 + signal.SIGINT
    command = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, process_group=0, pass_fds=inherited)
    while command.poll() is None and not starter_is_gone():
        pass
    end_group(command)
    code = command.wait()
    return code if code >= 0 else 128 - code


def starter_is_gone() -> bool:
    """Look for a moment whether the pipe has ended."""
    return bool(select.select([sys.stdin], [], [], _SECONDS_BETWEEN_LOOKS)[0])


def wait_for_lock(lock: int, path: str) -> bool:
    """Take the lock of an open file, as soon as it is free; returns False when the starter goes before."""
    is_told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if not is_told:
                print(f"waiting for the process that holds {path}", flush=True)
            is_told = True
        if starter_is_gone():
            return False


def end_group(command: subprocess.Popen) -> None:
    """Interrupt every process of the command's group, so that it can put things in order, and kill what remains."""
    with suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGINT)
        deadline = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < deadline:
            command.poll()  # a process that nobody waits for stays in its group
            os.killpg(command.pid, 0)
            time.sleep(0.05)
        os.killpg(command.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
