"""Several processes that train one model together, each on its part of every batch, through torch.distributed."""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, distributed, nn
from torch import multiprocessing as torch_multiprocessing

from colorizer.core.errors import UserError

_LONGEST_STEP = timedelta(minutes=30)
_LONGEST_WAIT = timedelta(days=7)  # for what the first process says, which may be waiting for a person's answer
_SECONDS_TO_NOTICE = 10
_THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one model: this one's rank, from 0, and how many there are.

    Rank 0 decides, saves and publishes. A group of one process communicates with nobody.
    """

    rank: int = 0
    world_size: int = 1
    _sums: Any = field(default=None, compare=False)  # a group whose sums do not queue up behind gradients
    _talk: Any = field(default=None, compare=False)

    def __deepcopy__(self, memo: dict) -> "ProcessGroup":
        return self

    def all_reduce(self, values: Tensor) -> Tensor:
        """Sum a tensor over all ranks, in place."""
        if self.world_size > 1:
            distributed.all_reduce(values, group=self._sums)
        return values

    def broadcast(self, value: Any = None) -> Any:
        """Return the value that rank 0 gives; the other ranks wait for it."""
        if self.world_size == 1:
            return value
        said = [value]
        distributed.broadcast_object_list(said, src=0, group=self._talk, device=torch.device("cpu"))
        return said[0]

    def wrap_ddp(self, network: nn.Module) -> nn.Module:
        """Wrap a network in DistributedDataParallel: called in its place, its gradients are the mean over all ranks."""
        if self.world_size == 1:
            return network
        # Batch norm sees the whole batch, so its statistics are the same everywhere without a broadcast.
        return nn.parallel.DistributedDataParallel(network, forward_sync_buffers=False, gradient_as_bucket_view=True)


SINGLE = ProcessGroup()


def share_threads(count: int) -> None:
    """Divide the CPU's threads evenly among the ranks of this machine, `count` unless torchrun says otherwise.

    OMP_NUM_THREADS, which torchrun sets to 1 when nobody else did, comes first.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, _THREADS // int(os.environ.get("LOCAL_WORLD_SIZE", count))))


def started_by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def distributed_training(
    count: int, device: torch.device, worker: Callable[..., None], arguments: tuple, say: Callable[[str], None]
) -> Iterator[ProcessGroup]:
    """Start the other ranks of a training, which run `worker(group, *arguments)`, and act as rank 0.

    They run on this machine and end with the block; ranks that torchrun started are joined instead. Raises UserError
    when one of them dies.
    """
    if started_by_torchrun():
        with _blaming_torchrun(), _group(device, "env://", int(os.environ["RANK"]), count) as group:
            yield group
    elif count == 1:
        yield SINGLE
    else:
        with tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
            meeting = Path(folder, "meeting").as_uri()
            others = _start(count, (count, device, meeting, worker, arguments, say))
            ended = threading.Event()
            threading.Thread(target=_watch, args=(others, ended, say), daemon=True).start()
            try:
                with _group(device, meeting, 0, count) as group, _blaming(others):
                    yield group
            finally:
                ended.set()
                for process in others.processes:
                    process.join(timeout=_SECONDS_TO_NOTICE if sys.exc_info()[0] is None else 0)
                    process.kill()


def _start(count: int, arguments: tuple) -> Any:
    """Start the other ranks. They ignore interrupts, as they end with rank 0."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return torch_multiprocessing.spawn(_run_worker, arguments, nprocs=count - 1, join=False)
    finally:
        signal.signal(signal.SIGINT, handler)


def _run_worker(
    index: int,
    count: int,
    device: torch.device,
    meeting: str,
    worker: Callable[..., None],
    arguments: tuple,
    say: Callable[[str], None],
) -> None:
    """Run as another rank than 0."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with _group(device, meeting, index + 1, count) as group:
            worker(group, *arguments)
    except UserError as error:
        say(str(error))
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _group(device: torch.device, meeting: str, rank: int, count: int) -> Iterator[ProcessGroup]:
    """Join the other ranks. Those of one machine talk on its loopback interface."""
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)))
    if not started_by_torchrun():
        for name, addresses in psutil.net_if_addrs().items():
            if any(address.address == "127.0.0.1" for address in addresses):
                os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, init_method=meeting, rank=rank, world_size=count, timeout=_LONGEST_STEP)
    try:
        # Two groups of NCCL at the same time may lock each other out.
        sums = distributed.new_group(timeout=_LONGEST_STEP) if backend == "gloo" else None
        yield ProcessGroup(rank, count, sums, distributed.new_group(backend="gloo", timeout=_LONGEST_WAIT))
    finally:
        with suppress(RuntimeError):
            distributed.destroy_process_group()


@contextmanager
def _blaming(others: Any) -> Iterator[None]:
    """Turn a broken connection into a UserError that names the rank that died."""
    try:
        yield
    except RuntimeError as error:
        if not _is_broken_connection(error):
            raise
        wait(others.sentinels, timeout=_SECONDS_TO_NOTICE)
        death = _death(others)
        if "killed" in death:
            raise UserError(death) from error
        others.join(timeout=0)  # raises with the traceback of one that failed
        raise


@contextmanager
def _blaming_torchrun() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not _is_broken_connection(error):
            raise
        raise UserError(
            "the connection to another process broke, so training stops: torchrun says which one ended; start it "
            "again, and it goes on from the last finished epoch"
        ) from error


def _is_broken_connection(error: RuntimeError) -> bool:
    return isinstance(error, distributed.DistError) or "gloo" in str(error)


def _watch(others: Any, ended: threading.Event, say: Callable[[str], None]) -> None:
    """Exit when another rank has died: collective operations on a GPU would block forever."""
    wait(others.sentinels)
    if not ended.wait(_SECONDS_TO_NOTICE) and (death := _death(others)):
        try:
            others.join(timeout=0)
        except Exception as error:  # of the other process, with its traceback
            if "killed" not in death:
                print(error, file=sys.stderr)
        say(death)
        os._exit(1)


def _death(others: Any) -> str:
    """A sentence about a process that ended before its time, a killed one if there is one, or nothing."""
    for process in others.processes:
        process.join(timeout=0.2)  # its pipe may be closed a moment before it has ended
    dead = [
        (process.exitcode, rank, process.pid) for rank, process in enumerate(others.processes, 2) if process.exitcode
    ]
    if not dead:
        return ""
    code, rank, pid = min(dead)
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended by an error (exit code {code})"
    return (
        f"process {rank} of {len(others.processes) + 1} (pid {pid}) was {how}: training stops; run it again, and it "
        "goes on from the last finished epoch"
    )
