"""Run a command and let nothing that it starts outlive it or its parent.

    python guard.py COMMAND ARGUMENT...

Standard input is a pipe that the starter holds open and never writes to. It ends when the starter closes it or dies,
by `kill -9` too, which no handler in the starter itself could notice. Exits with the command's code; 128 + N when a
signal N killed it.
"""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

SECONDS_TO_END = 3.0  # after an interrupt, before a kill


def main() -> int:
    # A server started in the background ignores interrupts, and what it starts inherits that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, process_group=0)
    starter_gone = False
    while command.poll() is None and not starter_gone:
        starter_gone = bool(select.select([sys.stdin], [], [], 0.05)[0])
    end_group(command)
    code = command.wait()
    return code if code >= 0 else 128 - code


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
