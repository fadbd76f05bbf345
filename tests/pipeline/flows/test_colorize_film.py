"""The flow that colours a film in segments: killed, and started again on a Dask cluster."""

import os
import signal

import numpy as np
import psutil
import pytest

from colorizer.core.errors import UserError
from pipeline.flows.colorize_film import plan_segments
from tests.support.disturbed import running, wait_until
from tests.support.films import moving_crops, read_film, write_film
from tests.support.rebuilding import run_id
from tests.support.workspace import BIN

COMMAND = (str(BIN / "python"), "-m", "pipeline", "colorize-film", "film.mp4", "--out", "coloured.mp4")


def test_a_film_is_planned_and_not_overwritten(tmp_path):
    film, out = write_film(tmp_path / "film.mp4", list(moving_crops(400, 32, 48))), tmp_path / "coloured.mp4"
    assert plan_segments(film, out) == 2
    [plan] = (tmp_path / "coloured.mp4.parts").iterdir()
    assert plan.name.startswith("plan-")
    out.write_bytes(b"of somebody")
    with pytest.raises(UserError, match=r"coloured\.mp4 exists: give another name, or remove it"):
        plan_segments(film, out)
    assert out.read_bytes() == b"of somebody"


@pytest.mark.thorough
def test_a_killed_run_goes_on_and_joins_the_film(committed, prefect):
    folder = committed.path
    write_film(folder / "film.mp4", list(moving_crops(620, 64, 96)), audio="aac")
    process = committed.start(*COMMAND, **prefect.environment)
    wait_until(lambda: list(folder.glob("coloured.mp4.parts/[!.]*.part")) or process.poll() is not None)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not running(children, seconds=5)
    assert 1 <= len(list(folder.glob("coloured.mp4.parts/[!.]*.part"))) < 3

    told = committed.run(*COMMAND, "--dask", "local", "--at-once", "2", **prefect.environment)
    run = run_id(told.stdout)
    assert prefect.run(run)["state"]["message"].startswith("620 frames coloured in coloured.mp4")
    assert sorted(prefect.task_runs(run)) == ["join", "segment 1", "segment 2", "segment 3"]
    stamps, frames = read_film(folder / "coloured.mp4")
    assert stamps == read_film(folder / "film.mp4")[0]
    assert max(float(np.ptp(frame.astype(int), axis=-1).max()) for frame in frames) > 5  # in colour: a grey film has 0
    assert not (folder / "coloured.mp4.parts").exists()
