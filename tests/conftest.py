"""Shared fixtures, and STRICT=1: every skip but for a missing GPU is a failure."""

import gc
import os
import shutil
import signal
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch is imported: workers share the cores, and forks need it

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from colorizer.data.sample import make_sample
from colorizer.models.environment import bypass_proxies
from tests.support import heic  # noqa: F401 - for photographs that tests write
from tests.support.disturbed import ask_for_training, results
from tests.support.prefect_server import ALIVE, PrefectServer, running_server
from tests.support.workspace import STARTED, Workspace, end_what_was_started, make_miniature, make_once

NO_GPU = "no GPU"

SLOW = {"prefect", "miniature"}  # fixtures that start a Prefect server or a training

bypass_proxies()  # for what tests ask their servers

gc.disable()  # while the tests are imported, see pytest_collection_finish

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_sessionstart(session):
    """Take SIGINT as in the foreground of a terminal, and open the pipe of tests/support/prefect_server.py.

    A script's `&`, cron and nohup start commands with SIGINT ignored, which every child would inherit. The pipe is
    watched by what has to end with the tests, however they end. Caches, of models' twins above all, are the tests' own.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        alive = Path(tempfile.mkdtemp(prefix="tests-")) / "alive"
        os.mkfifo(alive)
        os.environ[ALIVE] = str(alive)
        os.environ["XDG_CACHE_HOME"] = str(alive.parent / "cache")
        session.config.alive = os.open(alive, os.O_RDWR)


def pytest_sessionfinish(session):
    if hasattr(session.config, "alive"):
        os.close(session.config.alive)
        shutil.rmtree(Path(os.environ[ALIVE]).parent)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Mark what starts a server, a browser or a training as slow, and put whole files in order.

    Files that take minutes come first (see --no-loadscope-reorder), quick ones last: the latter fill what remains when
    one worker has ended.
    """
    turns: dict[Path, int] = {}
    for item in items:
        if SLOW & set(item.fixturenames) or item.path.parent.name == "journeys":
            item.add_marker("slow")
        takes_minutes = {"prefect", "followed"} & set(item.fixturenames)
        turn = 0 if takes_minutes else 1 if item.get_closest_marker("slow") else 2
        turns[item.path] = min(turn, turns.get(item.path, turn))
    items.sort(key=lambda item: turns[item.path])


def pytest_collection_finish():
    """What was imported stays to the end: no test has to search it for garbage."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return fail_if_skipped((yield))


def fail_if_skipped(report):
    if os.environ.get("STRICT") == "1" and report.skipped and NO_GPU not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"STRICT=1 allows no skip but '{NO_GPU}': {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def photographs() -> NDArray[np.uint8]:
    """48 + 16 real crops of 32 px as codes (64, 32, 32, 3)."""
    codes, _ = make_sample(size=32, train=48, test=16, min_chroma=6.0, seed=1)
    return codes


def shared_folder(tmp_path_factory) -> Path:
    """A temporary folder that all parallel workers of this run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def miniature(tmp_path_factory, photographs) -> Workspace:
    """A workspace in which everything has run; copy it, and leave it as it is. Parallel workers share one."""
    path = shared_folder(tmp_path_factory) / "miniature"
    make_once(path, lambda: make_miniature(path, photographs))
    return Workspace(path)


@pytest.fixture(scope="session")
def pretrained(photographs, tmp_path_factory) -> Path:
    """A model with a pretrained encoder, a random decoder, and statistics of photographs in its batch norm."""
    from tests.support.model_file import save_pretrained  # PyTorch takes a second, which not every process needs

    return save_pretrained(photographs, tmp_path_factory.mktemp("pretrained"))


@pytest.fixture(autouse=True)
def nothing_goes_on():
    """Ends what a test has started in the background, when the test has failed above all."""
    before = list(STARTED)  # by fixtures of the whole file
    yield
    end_what_was_started(before)


@pytest.fixture
def committed(miniature, tmp_path) -> Workspace:
    """A copy of the miniature in which everything is committed."""
    workspace = miniature.copy(tmp_path / "clone")
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message=miniature")
    return workspace


@pytest.fixture(scope="session")
def undisturbed(miniature, tmp_path_factory) -> dict[str, bytes]:
    """What the training of tests/support/disturbed.py leaves behind when nothing disturbs it."""
    workspace = Workspace(shared_folder(tmp_path_factory) / "undisturbed")

    def make() -> None:
        miniature.copy(workspace.path)
        ask_for_training(workspace)
        workspace.stage("train")

    make_once(workspace.path, make)
    return results(workspace)


@pytest.fixture(scope="session")
def prefect(tmp_path_factory) -> PrefectServer:
    """A real Prefect server on loopback with a database of its own. Parallel workers share one."""
    return running_server(shared_folder(tmp_path_factory))
