"""Several processes that train one model together, each on its part of every batch, through torch.distributed."""

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

from colorizer.errors import UserError

_LONGEST_WAIT = timedelta(days=7)  # for the first process, which may be waiting for a person's answer
_SECONDS_TO_NOTICE = 10


@dataclass(frozen=True)
class Processes:
    """This process's number, from 0, and how many there are. The first one decides, keeps and publishes."""

    rank: int = 0
    count: int = 1
    _small: Any = field(default=None, compare=False)  # a group whose sums do not queue up behind gradients

    def __deepcopy__(self, memo: dict) -> "Processes":
        return self

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.count > 1:
            distributed.all_reduce(values, group=self._small)
        return values

    def agree(self, value: Any = None) -> Any:
        """What the first process says; the others wait for it."""
        if self.count == 1:
            return value
        said = [value]
        distributed.broadcast_object_list(said, src=0, device=torch.device("cpu"))
        return said[0]

    def averaging(self, network: nn.Module) -> nn.Module:
        """The network, to be called in its place where its gradients are to be the mean over all processes."""
        if self.count == 1:
            return network
        # Batch norm sees the whole batch, so its statistics are the same everywhere without a broadcast.
        return nn.parallel.DistributedDataParallel(network, forward_sync_buffers=False, gradient_as_bucket_view=True)


ALONE = Processes()


def share_threads(count: int) -> None:
    """Let `count` processes of this machine have the CPU's threads in equal parts, unless OMP_NUM_THREADS says."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // count))


def started_by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def together(
    count: int, device: torch.device, assist: Callable[..., None], arguments: tuple, say: Callable[[str], None]
) -> Iterator[Processes]:
    """Be the first of `count` processes; the others run `assist(processes, *arguments)`.

    They are started here, on this machine, and end with the block; those that torchrun started are joined. Raises
    UserError when one of them dies.
    """
    if started_by_torchrun():
        with _group(device, "env://", int(os.environ["RANK"]), count) as processes:
            yield processes
    elif count == 1:
        yield ALONE
    else:
        with tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
            meeting = Path(folder, "meeting").as_uri()
            others = torch_multiprocessing.spawn(
                _assist, (count, device, meeting, assist, arguments), nprocs=count - 1, join=False
            )
            ended = threading.Event()
            threading.Thread(target=_watch, args=(others, ended, say), daemon=True).start()
            try:
                with _group(device, meeting, 0, count) as processes, _blaming(others):
                    yield processes
            finally:
                ended.set()
                for process in others.processes:
                    process.join(timeout=_SECONDS_TO_NOTICE if sys.exc_info()[0] is None else 0)
                    process.kill()


@contextmanager
def _blaming(others: Any) -> Iterator[None]:
    """Turn a broken connection into what broke it."""
    try:
        yield
    except RuntimeError as error:
        wait(others.sentinels, timeout=_SECONDS_TO_NOTICE)
        if any(process.exitcode and process.exitcode < 0 for process in others.processes):
            raise UserError(_death(others)) from error
        others.join(timeout=0)  # raises with the traceback of one that failed
        raise


@contextmanager
def _group(device: torch.device, meeting: str, rank: int, count: int) -> Iterator[Processes]:
    """Meet the others. Several processes of one machine talk on its loopback interface."""
    if not started_by_torchrun():
        addresses = psutil.net_if_addrs().items()
        loopback = (name for name, own in addresses if any(address.address == "127.0.0.1" for address in own))
        os.environ.setdefault("GLOO_SOCKET_IFNAME", next(loopback))
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, init_method=meeting, rank=rank, world_size=count, timeout=_LONGEST_WAIT)
    try:
        yield Processes(rank, count, distributed.new_group(timeout=_LONGEST_WAIT))
    finally:
        with suppress(RuntimeError):
            distributed.destroy_process_group()


def _assist(
    index: int, count: int, device: torch.device, meeting: str, assist: Callable[..., None], arguments: tuple
) -> None:
    """One of the other processes. It keeps nothing, so an interrupt may end it at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    rank = index + 1
    if device.type == "cuda":
        torch.cuda.set_device(rank)
    with _group(device, meeting, rank, count) as processes:
        assist(processes, *arguments)


def _watch(others: Any, ended: threading.Event, say: Callable[[str], None]) -> None:
    """End this process when another one died and it does not notice: on a GPU it would wait for ever."""
    wait(others.sentinels)
    if not ended.wait(_SECONDS_TO_NOTICE) and (death := _death(others)):
        say(death)
        os._exit(1)


def _death(others: Any) -> str:
    """A sentence about a process that ended before its time, a killed one if there is one, or nothing."""
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
