"""Several processes that train one model, each on its part of every batch, through torch.distributed.

torchrun's launcher starts the ranks of one machine too, watches them and ends all of them when one dies.
"""

import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import psutil
import torch
from torch import Tensor, distributed, nn

from colorizer.core.errors import UserError

_COLLECTIVE_TIMEOUT = timedelta(minutes=30)
_BROADCAST_TIMEOUT = timedelta(days=7)  # for what rank 0 broadcasts, which may be waiting for a person's answer
_RENDEZVOUS = "COLORIZER_RENDEZVOUS"  # names the file in which the ranks that `launch` started find each other
_THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one model: this one's rank, from 0, and how many there are.

    Rank 0 decides, saves and publishes. A group of one process communicates with nobody.
    """

    rank: int = 0
    world_size: int = 1
    _reduce_group: Any = field(default=None, compare=False)  # a group whose sums do not queue up behind gradients
    _object_group: Any = field(default=None, compare=False)

    def __deepcopy__(self, memo: dict) -> "ProcessGroup":
        return self

    def all_reduce(self, values: Tensor) -> Tensor:
        """All-reduce: sum a tensor over all ranks, in place; returns it."""
        if self.world_size > 1:
            distributed.all_reduce(values, group=self._reduce_group)
        return values

    def broadcast(self, value: Any = None) -> Any:
        """Broadcast a value from rank 0 to all ranks and return it; the argument of the other ranks is ignored."""
        if self.world_size == 1:
            return value
        objects = [value]
        distributed.broadcast_object_list(objects, src=0, group=self._object_group, device=torch.device("cpu"))
        return objects[0]

    def wrap_ddp(self, network: nn.Module) -> nn.Module:
        """Wrap a network in DistributedDataParallel, which averages its gradients over all ranks."""
        if self.world_size == 1:
            return network
        # Batch norm sees the whole batch, so its statistics are the same everywhere without a broadcast.
        return nn.parallel.DistributedDataParallel(network, forward_sync_buffers=False, gradient_as_bucket_view=True)


SINGLE = ProcessGroup()


def is_rank() -> bool:
    """True in a process that torchrun, or `launch`, started."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def check_ranks(num_processes: int, device: torch.device, *, smallest_batch: int) -> None:
    """Raise UserError if torchrun started another number of ranks, a rank lacks a GPU or gets no image of a batch."""
    started = int(os.environ["WORLD_SIZE"]) if is_rank() else num_processes
    if num_processes != started:
        raise UserError(
            f"train.num_processes is {num_processes}, but torchrun started {started} processes: set it to {started}"
        )
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", num_processes)), torch.cuda.device_count()
    if device.type == "cuda" and here > gpus:
        raise UserError(f"{here} processes on this machine want a GPU each, but PyTorch finds {gpus}: start fewer")
    if smallest_batch < num_processes:
        raise UserError(
            f"train.num_processes is {num_processes}, but the last batch of an epoch holds {smallest_batch} images "
            "only: change train.batch_size or split.train"
        )


def share_threads(num_processes: int) -> None:
    """Divide the CPU's threads evenly among the ranks of this machine, `num_processes` unless torchrun says otherwise.

    If OMP_NUM_THREADS is set, nothing changes. The command torchrun sets it to 1 by default.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, _THREADS // int(os.environ.get("LOCAL_WORLD_SIZE", num_processes))))


@contextmanager
def process_group(device: torch.device) -> Iterator[ProcessGroup]:
    """Join the process group until the block ends; a process that is not a rank gets a group of one process.

    Ranks other than 0 ignore interrupts: they end with rank 0. Raises UserError when the connection to another rank
    breaks, since one of them has died.
    """
    if not is_rank():
        yield SINGLE
        return
    rank = int(os.environ["RANK"])
    if rank:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if device.type == "cuda" else "gloo"
    world_size = int(os.environ["WORLD_SIZE"])
    rendezvous = os.environ.get(_RENDEZVOUS)
    place: dict[str, Any] = {}  # torchrun's ranks find each other by its own environment variables
    if rendezvous:  # no file:// URL: PyTorch does not decode it, so a blank in the path would be another path
        place = {"store": distributed.FileStore(rendezvous, world_size), "rank": rank, "world_size": world_size}
    try:
        distributed.init_process_group(backend, timeout=_COLLECTIVE_TIMEOUT, **place)
        # Two groups of NCCL at the same time may lock each other out.
        reduce_group = distributed.new_group(timeout=_COLLECTIVE_TIMEOUT) if backend == "gloo" else None
        object_group = distributed.new_group(backend="gloo", timeout=_BROADCAST_TIMEOUT)
        yield ProcessGroup(rank, world_size, reduce_group, object_group)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # `launch` was interrupted too and passes it on
        raise
    except RuntimeError as error:
        if not (isinstance(error, distributed.DistError) or "gloo" in str(error)):
            raise
        if rendezvous:
            sys.exit(1)  # `launch` says which rank died
        raise UserError(
            "the connection to another rank broke, so training stops: torchrun says which one ended; start it again, "
            "and it resumes after the last finished epoch"
        ) from error
    finally:
        with suppress(RuntimeError):
            distributed.destroy_process_group()


def launch(num_processes: int, entrypoint: Callable[..., Any] | str, *arguments: Any) -> dict[int, Any]:
    """Run a function, or a program, in `num_processes` ranks on this machine; returns each rank's result by rank.

    The ranks find each other in a file and talk on the loopback interface. Raises UserError if a rank is killed. If a
    rank fails, it reports the error itself, and this process exits with the same code.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in logging.root.manager.loggerDict:
        if name.startswith("torch.distributed.elastic"):
            # _end_as reports a dead rank in one line.
            logging.getLogger(name).setLevel(logging.CRITICAL)
    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == "127.0.0.1" for address in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    with tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
        os.environ[_RENDEZVOUS] = str(Path(folder, "ranks"))
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=num_processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint=str(Path(folder, "launcher")),
            rdzv_configs={"store_type": "file"},
            local_addr="127.0.0.1",
            max_restarts=0,
        )
        try:
            return elastic_launch(config, entrypoint)(*arguments)
        except ChildFailedError as error:
            _end_as(error.failures, num_processes)
        except SignalException as error:
            sys.exit(128 + error.sigval)  # rank 0 got the signal too, and says so
        finally:
            del os.environ[_RENDEZVOUS]


def _end_as(failures: dict[int, Any], num_processes: int) -> NoReturn:
    """Raise UserError about a rank that was killed, or exit with the code of the first one that failed."""
    for rank, failure in failures.items():  # the launcher itself ends the others by SIGTERM
        if failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM:
            raise UserError(
                f"process {rank + 1} of {num_processes} (pid {failure.pid}) was killed by {failure.signal_name()}: "
                "training stops; run it again, and it resumes after the last finished epoch"
            )
    sys.exit(next((failure.exitcode for failure in failures.values() if failure.exitcode > 0), 1))
