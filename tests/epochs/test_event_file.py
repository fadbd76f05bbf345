"""Event files, read back with TensorBoard's own reader."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from colorizer.core.files import save_image
from colorizer.epochs.event_file import append_epoch, write_event_file

PARAMS = {"train.learning_rate": 0.001, "train.flip": True, "train.seed": 3, "train.keep": "all"}


def read(folder: Path) -> EventAccumulator:
    """Everything in a folder, as TensorBoard reads it: several files count as one."""
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()


def points(folder: Path, tag: str = "losses/l1_loss") -> list[tuple[int, float]]:
    return [(point.step, round(point.value, 3)) for point in read(folder).Scalars(tag)]


@pytest.fixture
def epoch(tmp_path):
    """Make an epoch: a row of the history, and a sheet that was written at second 1000 x the number."""

    def make(number: int, l1_loss: float = 0.5) -> tuple[dict, Path]:
        sheet = tmp_path / f"epoch-{number}.png"
        save_image(Image.fromarray(np.full((3, 5, 3), number, np.uint8)), sheet)
        os.utime(sheet, (number * 1000, number * 1000))
        losses = {"discriminator_loss": 0.7, "l1_loss": l1_loss}
        row = {"epoch": number, "learning_rate": 0.01, **losses, "warnings": "dull", "validation_ab_error": 7.5}
        return row, sheet

    return make


def test_curves_sheets_and_params_are_read_back(tmp_path, epoch):
    path = write_event_file(tmp_path / "run", PARAMS, [epoch(1), epoch(2, 0.25)])
    append_epoch(path, *epoch(3, 0.125))
    found = read(tmp_path / "run")
    assert points(tmp_path / "run") == [(1, 0.5), (2, 0.25), (3, 0.125)]
    tags = {"learning_rate", "losses/discriminator_loss", "losses/l1_loss", "validation/ab_error"}
    assert set(found.Tags()["scalars"]) == tags
    assert [point.wall_time for point in found.Scalars("learning_rate")] == [1000, 2000, 3000]
    sheets = found.Images("sample sheet")
    assert [(sheet.step, sheet.width, sheet.height) for sheet in sheets] == [(number, 5, 3) for number in (1, 2, 3)]
    assert Image.open(io.BytesIO(sheets[1].encoded_image_string)).getpixel((0, 0)) == (2, 2, 2)
    [content] = found.PluginTagToContent("hparams").values()
    shown = HParamsPluginData.FromString(content).session_start_info.hparams
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in shown.items()}
    assert values == PARAMS
    assert isinstance(values["train.flip"], bool)


def test_a_new_file_takes_the_place_of_all_others(tmp_path, epoch):
    folder = tmp_path / "run"
    for _ in range(3):
        path = write_event_file(folder, PARAMS, [epoch(1), epoch(2)])
        append_epoch(path, *epoch(3))
        assert points(folder) == [(1, 0.5), (2, 0.5), (3, 0.5)]
    write_event_file(folder, PARAMS, [epoch(1, 0.375)])
    assert points(folder) == [(1, 0.375)]
    assert len(list(folder.iterdir())) == 2  # and the last of the old ones, emptied


def test_whoever_reads_meanwhile_follows_into_the_new_file(tmp_path, epoch):
    folder = tmp_path / "run"
    path = write_event_file(folder, PARAMS, [epoch(1)])
    append_epoch(path, *epoch(2, 0.75))
    watched = read(folder)
    path = write_event_file(folder, PARAMS, [epoch(1)])
    append_epoch(path, *epoch(2, 0.25))
    watched.Reload()
    assert [(point.step, point.value) for point in watched.Scalars("losses/l1_loss")] == [(1, 0.5), (2, 0.25)]


def test_an_epoch_that_was_cut_off_is_left_out(tmp_path, epoch):
    path = write_event_file(tmp_path / "run", PARAMS, [epoch(1)])
    whole = path.stat().st_size
    append_epoch(path, *epoch(2))
    for size in range(whole, path.stat().st_size, 29)[::-1]:
        os.truncate(path, size)
        assert points(tmp_path / "run") == [(1, 0.5)]
