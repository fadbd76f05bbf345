"""Dask clusters that cannot be used."""

import socket
import time

import pytest
from distributed import LocalCluster

from colorizer.core.errors import UserError
from pipeline.process.task_runners import task_runner, threads_per_task


def test_an_address_that_is_none():
    with pytest.raises(UserError, match="no Dask scheduler answers at lokal: give its address"):
        task_runner("lokal", at_once=1)


def test_a_scheduler_without_workers():
    with LocalCluster(
        n_workers=0, host="127.0.0.1", protocol="tcp", processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(UserError, match=f"the Dask scheduler at {address} has no workers: start some"):
            task_runner(address, at_once=1)


def test_an_encrypted_cluster_without_certificates():
    with pytest.raises(
        UserError, match=r"tls://127.0.0.1:8786 is encrypted: set certificates, distributed.comm.tls in"
    ):
        task_runner("tls://127.0.0.1:8786", at_once=1)


def test_workers_elsewhere_have_as_many_threads_as_they_were_given(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_per_task("tcp://10.0.0.1:8786", at_once=2) == {}
    assert threads_per_task("local", at_once=1000) == threads_per_task(None, at_once=1000) == {"OMP_NUM_THREADS": "1"}


def test_a_program_that_takes_the_connection_and_says_nothing():
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match=f"no Dask scheduler answers at {address}"):
            task_runner(address, at_once=1)
    assert time.monotonic() - began < 30
