"""What a training logs after each epoch: the table of all trainings, and the event file of one."""

import csv
import resource
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.core.files import save_image
from colorizer.epochs.epoch_log import EpochLog, append_row
from colorizer.epochs.scratch import Scratch
from tests.epochs.test_event_file import points

TIMES = {"seconds": "5.30", "images_per_second": "339.33"}


@pytest.fixture
def scratch(tmp_path) -> Scratch:
    scratch = Scratch(tmp_path / "train-0123")
    for epoch in range(1, 5):
        noise = np.random.default_rng(epoch).integers(0, 256, (48, 48, 3), np.uint8)  # PNG cannot compress it
        save_image(Image.fromarray(noise), scratch.sample(epoch))
    return scratch


@pytest.fixture
def log(scratch, tmp_path) -> EpochLog:
    return EpochLog(tmp_path / "logs", scratch, {"train.seed": 0})


def history(epochs: int) -> list[dict]:
    return [{"epoch": epoch, "learning_rate": 0.01, "l1_loss": 0.5, "warnings": ""} for epoch in range(1, epochs + 1)]


def steps(tmp_path: Path) -> list[int]:
    return [step for step, _ in points(tmp_path / "logs/tensorboard/0123")]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def files_limited_to(size: int):
    """The kernel refuses in the middle of a write, as with a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_each_epoch_is_a_point_and_a_row_with_losses_scores_and_times(log, tmp_path):
    log.resume([])
    assert not (tmp_path / "logs").exists()
    for epochs in (1, 2):
        log.add(history(epochs), TIMES)
    log.add([*history(2), history(3)[-1] | {"validation_ab_error": 7.5, "swd_loss": 0.25}], TIMES)
    assert steps(tmp_path) == [1, 2, 3]
    rows = table(tmp_path / "logs/train.csv")
    assert [(row["training"], row["epoch"], row["l1_loss"], row["seconds"]) for row in rows] == [
        ("0123", str(epoch), "0.5", "5.30") for epoch in (1, 2, 3)
    ]
    assert [(row["validation_ab_error"], row["swd_loss"]) for row in rows] == [("", ""), ("", ""), ("7.5", "0.25")]


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_resumed_training_shows_the_epochs_of_its_state(log, scratch, tmp_path, kept):
    """The process before may have written an epoch more, or one less."""
    for epochs in (1, 2):
        log.add(history(epochs), TIMES)
    resumed = EpochLog(tmp_path / "logs", scratch, {})
    resumed.resume(history(kept))
    assert steps(tmp_path) == list(range(1, kept + 1))
    resumed.add(history(kept + 1), TIMES)
    assert steps(tmp_path) == list(range(1, kept + 2))


def test_a_full_disk_is_one_warning_and_what_was_not_written_is_made_up_for(log, tmp_path, caplog):
    log.add(history(1), TIMES)
    [event_file] = (tmp_path / "logs/tensorboard/0123").iterdir()
    with files_limited_to(event_file.stat().st_size + 1000):  # a part of the next epoch
        for epochs in (2, 3):
            log.add(history(epochs), TIMES)
            assert steps(tmp_path) == [1]
    assert caplog.messages == [f"warning: {tmp_path}/logs/ lacks an epoch (File too large); training goes on"]
    log.add(history(4), TIMES)
    assert steps(tmp_path) == [1, 2, 3, 4]
    assert len(caplog.messages) == 1


def test_a_table_that_is_none_is_one_warning_and_the_curves_go_on(log, tmp_path, caplog):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/train.csv").write_bytes(b"\xff\xfe\x00")
    for epochs in (1, 2):
        log.add(history(epochs), TIMES)
    assert len(caplog.messages) == 1
    assert steps(tmp_path) == [1, 2]


def test_what_was_deleted_meanwhile_is_written_again(log, tmp_path):
    log.add(history(1), TIMES)
    for path in (tmp_path / "logs/tensorboard/0123").iterdir():
        path.unlink()
    log.add(history(2), TIMES)
    assert steps(tmp_path) == [1, 2]


def test_the_same_training_twice_at_a_time_has_each_point_once(log, scratch, tmp_path):
    """A sweep over train.epochs does this."""
    other = EpochLog(tmp_path / "logs", scratch, {})
    for epochs in (1, 2, 3):
        for each in (log, other):
            each.add(history(epochs), TIMES)
            assert steps(tmp_path) == list(range(1, epochs + 1))


def test_a_table_of_an_earlier_version_gets_the_columns_that_it_lacks(tmp_path):
    (tmp_path / "train.csv").write_text("finished,epoch\nyesterday,1\n", encoding="utf-8")
    append_row(tmp_path / "train.csv", {"finished": "today", "l1_loss": 0.5, "epoch": 2})
    assert (tmp_path / "train.csv").read_text(encoding="utf-8") == "finished,epoch,l1_loss\nyesterday,1,\ntoday,2,0.5\n"


def test_trainings_side_by_side_share_the_table(tmp_path):
    def write(name: str) -> None:
        for epoch in range(20):
            append_row(tmp_path / "train.csv", {"training": name, "epoch": epoch, f"only_{name}": epoch})

    threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = table(tmp_path / "train.csv")
    assert len(rows) == 60
    assert all(row[f"only_{row['training']}"] == row["epoch"] for row in rows)
