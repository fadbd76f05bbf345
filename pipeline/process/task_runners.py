"""Where the tasks of a flow run: in threads of its process, or on a Dask cluster."""

import asyncio
import logging
import os
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from colorizer.core.errors import UserError

LOCAL_CLUSTER = "local"
_SECONDS_TO_CONNECT = 5


def task_runner(dask: str | None, at_once: int) -> TaskRunner[Any]:
    """Threads of this process, or a Dask cluster: `local`, with `at_once` worker processes, or that of an address.

    Raises UserError when the package for Dask is missing, no scheduler answers within 5 seconds, or it has no workers.
    """
    if dask is None:
        return ThreadPoolTaskRunner(max_workers=at_once)
    try:
        from dask import config
        from prefect_dask import DaskTaskRunner
    except ImportError as error:
        raise UserError("dask needs a package: pip install -c constraints.txt prefect-dask") from error
    for name in ("distributed", "prefect.task_runner.dask"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if dask == LOCAL_CLUSTER:
        # Dask would give what its workers start one thread each; tasks here say themselves how many.
        config.set({"distributed.nanny.pre-spawn-environ": {}})
        return DaskTaskRunner(cluster_kwargs={"n_workers": at_once, "threads_per_worker": 1, "dashboard_address": None})
    encryption = _encryption(dask)
    try:
        workers = asyncio.run(asyncio.wait_for(_count_workers(dask, encryption), _SECONDS_TO_CONNECT))
    except (OSError, RuntimeError, TimeoutError, ValueError) as error:
        raise UserError(
            f"no Dask scheduler answers at {dask}: give its address, tcp://10.0.0.1:8786 for example, or `local`"
        ) from error
    if not workers:
        raise UserError(f"the Dask scheduler at {dask} has no workers: start some, `python -m dask worker {dask}`")
    return DaskTaskRunner(address=dask)


def threads_per_task(dask: str | None, at_once: int) -> dict[str, str]:
    """Environment that gives each of `at_once` tasks on this machine its share of the cores.

    More threads than cores would make each many times slower. Workers of a cluster elsewhere know their own number.
    """
    if at_once == 1 or "OMP_NUM_THREADS" in os.environ or dask not in (None, LOCAL_CLUSTER):
        return {}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // at_once))}


def _encryption(address: str) -> dict[str, Any]:
    """Read from Dask's configuration how to talk to `tls://` addresses. Raises UserError when it cannot be used."""
    from distributed.security import Security

    try:
        encryption = Security().get_connection_args("client")
    except (OSError, ValueError) as error:
        raise UserError(f"the certificates in Dask's configuration (distributed.comm.tls): {error}") from error
    if address.startswith("tls:") and not encryption["ssl_context"]:
        raise UserError(f"{address} is encrypted: set certificates, distributed.comm.tls in Dask's configuration")
    return encryption


async def _count_workers(address: str, encryption: dict[str, Any]) -> int:
    """Ask the scheduler; raises OSError or ValueError when none is there.

    Dask's Client waits for ever for a program that takes the connection and says nothing.
    """
    from distributed.core import rpc

    async with rpc(address, timeout=_SECONDS_TO_CONNECT, connection_args=encryption) as other:
        identity = await other.identity()
        if identity["type"] != "Scheduler":
            raise ValueError("a worker's address")
        return identity["n_workers"]
