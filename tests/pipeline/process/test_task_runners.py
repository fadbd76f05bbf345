"""Dask clusters that cannot be used."""

import socket
import time

import pytest

from colorizer.core.errors import UserError
from pipeline.process.task_runners import task_runner


def test_an_address_that_is_none():
    with pytest.raises(UserError, match="no Dask scheduler answers at lokal: give its address"):
        task_runner("lokal", at_once=1)


def test_a_program_that_takes_the_connection_and_says_nothing():
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match=f"no Dask scheduler answers at {address}"):
            task_runner(address, at_once=1)
    assert time.monotonic() - began < 30
