"""What a drop and a move of the slider cost, counted: decoded photographs, predictions, pictures drawn, memory."""

import ctypes
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.data.sample import built_in_photographs
from colorizer.models.model import Model, ModelInfo, load_model
from colorizer.page import coloring, previews
from colorizer.page.coloring import color
from colorizer.page.palette import Palette
from colorizer.page.previews import SIDE, Previews
from colorizer.photographs.hints import Hint
from colorizer.photographs.photographs import Photograph, thumbnail
from tests.support.model_file import save_hinted

MODEL = "a model"


@pytest.fixture
def counted(monkeypatch) -> Counter[str]:
    """Counts what is done; the model colours by lightness, and notes how many of it ran at once."""
    counts: Counter[str] = Counter()
    running = threading.Semaphore(1)

    def predict(lightness):
        counts["predicted"] += 1
        counts["at once"] += not running.acquire(blocking=False)
        codes = np.stack([100 + lightness * 0.2, 190 - lightness * 0.3], axis=-1).astype(np.float32)
        running.release()
        return codes

    info = ModelInfo(side_multiple=16, training_size=32, lightness_is="L*", epoch=3)
    model = Model(predict=predict, info=info, identity="a/3")
    read, draw = coloring.read_photograph, Palette.picture
    for module in (coloring, previews):
        monkeypatch.setattr(module, "load_at_hand", lambda name: model)

    def read_photograph(path, **options):
        counts["decoded"] += 1
        return read(path, **options)

    def picture(palette, strength):
        counts["drawn"] += 1
        return draw(palette, strength)

    monkeypatch.setattr(coloring, "read_photograph", read_photograph)
    monkeypatch.setattr(Palette, "picture", picture)
    return counts


def write_photograph(path: Path, size: tuple[int, int]) -> Path:
    Image.fromarray(dict(built_in_photographs())["china.jpg"]).resize(size).save(path, quality=95)
    return path


def test_a_drop_decodes_and_predicts_once_and_a_move_of_the_slider_does_neither(counted, tmp_path):
    kept = Previews(tmp_path)
    photograph = write_photograph(tmp_path / "a.jpg", (1800, 400))
    first = kept.after(photograph, MODEL, 0, 1)
    assert counted == {"decoded": 1, "predicted": 1, "drawn": 1, "at once": 0}
    others = [kept.after(photograph, MODEL, 0, strength) for strength in (0.5, 1.5, 0, 2)]
    assert counted == {"decoded": 1, "predicted": 1, "drawn": 5, "at once": 0}
    assert len({path.read_bytes() for path in (first, *others)}) == 5
    assert kept.after(photograph, MODEL, 0, 1.001) == first  # which is there
    assert counted["drawn"] == 5
    assert "a.jpg: 1800 x 400 px, model of epoch 3, seen at 32 px" in kept.of(photograph, MODEL, 0).caption
    kept.of(photograph, MODEL, 48)
    assert (counted["decoded"], counted["predicted"]) == (2, 2)
    color(photograph, MODEL, 1, 0, tmp_path)  # the download
    assert (counted["decoded"], counted["predicted"], counted["drawn"]) == (3, 3, 5)


def test_a_hint_costs_a_prediction_and_a_picture_and_looks_like_the_full_size(tmp_path, monkeypatch):
    """A large JPEG is decoded at half its size for the preview; hints are given in its own pixels."""
    model = load_model(save_hinted(tmp_path), "cpu", "fp32")
    for module in (coloring, previews):
        monkeypatch.setattr(module, "load_at_hand", lambda name: model)
    photograph = write_photograph(tmp_path / "a.jpg", (3401, 603))
    kept = Previews(tmp_path)
    plain = kept.of(photograph, MODEL, 0)
    hints = Hint(1700, 300, "#3a6b8f"), Hint(3400, 602, "#c02020")
    monkeypatch.setattr(coloring, "read_photograph", None)  # it is not read again
    told = kept.of(photograph, MODEL, 0, hints)
    assert (told.before, told.caption) == (plain.before, plain.caption)
    assert kept.of(photograph, MODEL, 0, hints) is told
    assert kept.of(photograph, MODEL, 0, hints[:1]).after(1) != told.after(1)
    monkeypatch.undo()
    for module in (coloring, previews):
        monkeypatch.setattr(module, "load_at_hand", lambda name: model)

    def difference(preview: previews.Preview, hints: tuple[Hint, ...]) -> float:
        with Image.open(color(photograph, MODEL, 1, 0, tmp_path, hints)) as full, Image.open(preview.after(1)) as shown:
            expected = np.asarray(thumbnail(Photograph(pixels=np.asarray(full)), SIDE)).astype(int)
            return float(np.abs(np.asarray(shown) - expected).mean())

    same = difference(plain, ())
    assert difference(told, hints) < same + 0.5
    assert difference(plain, hints) > same + 2


@pytest.mark.parametrize(("name", "size"), [("a.jpg", (3400, 600)), ("a.png", (1900, 500)), ("small.jpg", (90, 70))])
def test_a_preview_looks_like_the_full_size(counted, tmp_path, name, size):
    """A large JPEG is decoded at half its size for it."""
    photograph = write_photograph(tmp_path / name, size)
    with Image.open(color(photograph, MODEL, 0.8, 0, tmp_path)) as full:
        expected = np.asarray(thumbnail(Photograph(pixels=np.asarray(full)), SIDE))
    preview = Previews(tmp_path).of(photograph, MODEL, 0)
    with Image.open(preview.after(0.8)) as shown, Image.open(preview.before) as before:
        difference = np.abs(np.asarray(shown).astype(int) - expected)
        assert before.size == shown.size
    assert difference.mean() < 3
    assert np.abs(difference.mean(axis=(0, 1))).max() < 4


def test_ten_visitors_at_once_each_get_theirs(counted, tmp_path):
    photographs = [write_photograph(tmp_path / f"{number}.jpg", (60 + number, 40)) for number in range(10)]
    kept = Previews(tmp_path)
    with ThreadPoolExecutor(10) as threads:
        captions = list(threads.map(lambda path: kept.of(path, MODEL, 0).caption, photographs * 2))
    assert [text.split(",")[0] for text in captions] == [f"{n}.jpg: {60 + n} x 40 px" for n in range(10)] * 2
    assert counted == {"decoded": 10, "predicted": 10, "at once": 0}


@pytest.fixture
def plain_malloc() -> None:
    """The C library's own ways: other tests of this process may have told it to keep all freed memory."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 2**17)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**17)  # M_TRIM_THRESHOLD


def test_memory_does_not_grow_from_visitor_to_visitor(plain_malloc, counted, tmp_path, monkeypatch):
    monkeypatch.setattr(previews, "MOST_BYTES", 12 * 2**20)
    kept = Previews(tmp_path)
    photograph = write_photograph(tmp_path / "0.jpg", (4000, 3000))
    memory = []
    for number in range(1, 15):
        photograph = photograph.rename(tmp_path / f"{number}.jpg")
        kept.after(photograph, MODEL, 0, 1)
        memory.append(psutil.Process().memory_info().rss / 1e6)
    assert np.median(memory[-4:]) - np.median(memory[2:6]) < 14  # eight previews have 26 MB
    assert counted["predicted"] == 14
    assert kept.after(photograph, MODEL, 0, 1).exists()
    assert counted["predicted"] == 14  # the newest are kept
    kept.of(photograph.rename(tmp_path / "1.jpg"), MODEL, 0)
    assert counted["predicted"] == 15  # the oldest is made again


def test_what_is_old_is_forgotten_and_made_again_while_the_upload_is_there(counted, tmp_path, monkeypatch):
    kept = Previews(tmp_path)
    photograph = write_photograph(tmp_path / "a.jpg", (60, 40))
    first = kept.of(photograph, MODEL, 0)
    kept.remove_old()
    assert kept.of(photograph, MODEL, 0) is first
    monkeypatch.setattr(previews, "SECONDS_KEPT", -1)
    kept.remove_old()
    assert kept.of(photograph, MODEL, 0) is not first
    kept.remove_old()
    photograph.unlink()
    with pytest.raises(UserError, match=r"a.jpg was removed after an hour: give it once more"):
        kept.of(photograph, MODEL, 0)


def test_a_full_disk_is_told_and_leaves_no_half_picture(counted, tmp_path, monkeypatch):
    preview = Previews(tmp_path).of(write_photograph(tmp_path / "a.jpg", (60, 40)), MODEL, 0)

    def full(path, content):
        path.touch()
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        with pytest.raises(UserError, match=r"no space left on device; make room and run again"):
            preview.after(1)
    assert preview.after(1).stat().st_size > 100
