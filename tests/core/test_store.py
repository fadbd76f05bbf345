import os
import shutil

import numpy as np
import pandas as pd
import pytest

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write, write_columns, write_csv, write_rows, write_text
from colorizer.core.store import iterate_store, open_store, read_image_numbers, write_store


def test_round_trip(tmp_path, photographs):
    path = tmp_path / "data" / "lab.npy"
    write_store(path, iter([photographs[:10], photographs[10:]]), photographs.shape)
    store = open_store(path)
    assert (store == photographs).all()
    assert not store.flags.writeable
    assert [item.name for item in path.parent.iterdir()] == ["lab.npy"]


def test_iterates_in_small_chunks(photographs):
    chunks = list(iterate_store(photographs, chunk_bytes=5 * 32 * 32 * 3))
    assert [len(chunk) for chunk in chunks] == [5] * 12 + [4]
    assert (np.concatenate(chunks) == photographs).all()


def test_a_disk_too_small_is_seen_before_writing(tmp_path, monkeypatch, photographs):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(UserError, match=r"lab.npy needs 0.00 GB but only 0.00 GB are free"):
        write_store(tmp_path / "lab.npy", iter([photographs]), photographs.shape)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_the_old_store(tmp_path, photographs):
    path = tmp_path / "lab.npy"
    path.write_text("old", encoding="utf-8")

    def chunks():
        yield photographs[:1]
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="no space left on device; make room"):
        write_store(path, chunks(), photographs.shape)
    assert [item.read_text(encoding="utf-8") for item in tmp_path.iterdir()] == ["old"]


def test_replacing_never_writes_through_a_hard_link(tmp_path):
    cached, output = tmp_path / "cached", tmp_path / "output"
    cached.write_text("version 1", encoding="utf-8")
    output.hardlink_to(cached)
    write_text(output, "version 2")
    assert (cached.read_text(encoding="utf-8"), output.read_text(encoding="utf-8")) == ("version 1", "version 2")


def test_columns_are_written_as_pandas_would(tmp_path):
    numbers = np.arange(25_000)
    values, texts = np.random.default_rng(0).normal(0, 1000, len(numbers)).round(3), np.array([b"00ff", b"12ab"])
    columns = {"number": numbers, "value": values, "text": texts[numbers % 2], "name": np.array(["a", "b"], object)}
    columns |= {"name": columns["name"][numbers % 2], "first": np.ma.masked_equal(numbers // 2 * 2, numbers)}
    frame = pd.DataFrame(columns | {"text": columns["text"].astype(str)})
    frame["first"] = pd.Series(columns["first"].data, dtype="Int64").where(~columns["first"].mask)
    write_columns(tmp_path / "columns.csv", columns)
    write_csv(tmp_path / "frame.csv", frame)
    assert (tmp_path / "columns.csv").read_bytes() == (tmp_path / "frame.csv").read_bytes()


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def write_half():
        with atomic_write(tmp_path / "output") as partial:
            partial.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["x" * 251 + ".csv", os.fsdecode("\xfc".encode() * 125) + ".json", "x." + "y" * 253, "\udcff" * 255]
)
def test_names_as_long_as_a_file_system_allows(tmp_path, name):
    for text in ("first", "second"):
        write_text(tmp_path / name, text)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [(name, "second")]


def test_a_missing_store_says_how_to_make_it(tmp_path):
    with pytest.raises(UserError, match="dvc repro concatenate"):
        open_store(tmp_path / "lab.npy")


def test_rows_are_written_as_pandas_would(tmp_path):
    rows = [
        {"epoch": 1, "rate": 6e-05, "warnings": 'dull, "grey" or brown', "loss": float("nan")},
        {"epoch": 2, "rate": 0.1 + 0.2, "warnings": "", "loss": 1e22, "more": 1.0},
    ]
    columns = ["epoch", "rate", "loss", "more", "warnings"]
    write_rows(tmp_path / "rows.csv", rows, columns)
    write_csv(tmp_path / "frame.csv", pd.DataFrame(rows, columns=columns))
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "frame.csv").read_bytes()


def test_numbers_of_images_are_read_as_they_were_written(tmp_path):
    for numbers in ([], [7], [3, 0, 2**40]):
        write_columns(tmp_path / "images.csv", {"image": np.array(numbers, np.int64)})
        assert read_image_numbers(tmp_path / "images.csv").tolist() == numbers
