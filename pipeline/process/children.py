"""Child processes that cannot outlive the process that started them."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from colorizer.core.errors import UserError
from colorizer.models.environment import child_environment

GUARD = Path(__file__).with_name("guard.py")


class StoppedError(UserError):
    """The flow run was cancelled or interrupted."""


class Child:
    """A command under `pipeline/process/guard.py`, in a session of its own, with all that it starts.

    It is interrupted, and killed if that does not help, by `stop`, and when this process ends in whatever way. With a
    `lock` it begins when no process of an earlier child holds that file.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        output: int | IO[str] = subprocess.PIPE,
        lock: Path | None = None,
    ) -> None:
        locking = ["--lock", str(lock.resolve())] if lock else []
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(GUARD), *locking, *command],
            cwd=folder,
            env={**child_environment(), "PYTHONIOENCODING": "utf-8:backslashreplace", **environment},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.was_stopped = False

    def lines(self, tick: float) -> Iterator[str | None]:
        """Yield the child's output line by line until it ends, and None every `tick` seconds, between them too."""
        printed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(printed.put,), daemon=True).start()
        next_tick = time.monotonic() + tick
        while True:
            if time.monotonic() >= next_tick:
                yield None
                next_tick = time.monotonic() + tick
            with suppress(queue.Empty):
                line = printed.get(timeout=max(0.0, next_tick - time.monotonic()))
                if line is None:
                    return
                yield line

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; returns the exit code, 128 + N if signal N killed it. Raises subprocess.TimeoutExpired."""
        code = self._process.wait(timeout)
        self._close()
        return code

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask the child to end, and return at once. The end takes up to `guard.SECONDS_TO_END` seconds: see `wait`."""
        self.was_stopped = True
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _read(self, put) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                put(line.rstrip())
        put(None)


class Children:
    """All children of one flow run: stopped together, and then no more can be started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Child] = set()
        self.are_stopped = False

    def start(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], lock: Path | None = None
    ) -> Child | None:
        """Start a child process; returns None after `stop`."""
        with self._lock:
            if self.are_stopped:
                return None
            child = Child(command, folder=folder, environment=environment, lock=lock)
            self._running.add(child)
            return child

    def wait(self, child: Child) -> int:
        code = child.wait()
        with self._lock:
            self._running.discard(child)
        return code

    def stop(self) -> None:
        """Stop every child and wait until all of them are gone."""
        with self._lock:
            self.are_stopped = True
            running = list(self._running)
        for child in running:
            child.stop()
        for child in running:
            child.wait()
