import csv
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.core.lab import rgb_to_codes
from colorizer.data.raw import open_raw
from colorizer.photographs.files import find_photographs
from colorizer.photographs.importing import Imported, import_photographs


def colors(seed, height=12, width=12):
    """A photograph in soft colours, different for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def bring_in(photographs, out, **changes):
    options = {"size": 8, "fit": "crop", "min_chroma": 4.0, "force": False, "workers": 2}
    options["on_photographs"] = lambda count: None
    return import_photographs(find_photographs(photographs), out, **(options | changes))


def images(out):
    """Codes (N, H, W, 3)."""
    raw = open_raw(out)
    parts = [np.concatenate([lightness[..., None], ab], axis=-1) for lightness, ab in map(raw.read, raw.spans())]
    return np.concatenate(parts)


def table(out):
    with (out / "photographs.csv").open(encoding="utf-8", newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def photographs(tmp_path):
    for seed, name in enumerate(["b.png", "a/z.png", "a/y.PNG", "c/d/e.png", "k.png"]):
        save(tmp_path / "photographs" / name, colors(seed, 12 + seed, 14))
    return tmp_path / "photographs"


def test_a_research_set_of_jpeg_files_keeps_its_pixels(tmp_path):
    """In the layout of Tiny ImageNet, whose photographs have the size of the images already."""
    jpegs = [tmp_path / f"set/train/n0144{number}/images/n0144{number}_0.JPEG" for number in (0, 1, 2)]
    for seed, path in enumerate(jpegs):
        save(path, colors(seed, 64, 64), quality=90)
        (path.parents[1] / f"n0144{seed}_boxes.txt").touch()
    assert bring_in(tmp_path / "set/train", tmp_path / "out", size=64) == Imported(num_images=3, skipped={})
    decoded = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2LAB) for path in jpegs]
    assert np.array_equal(images(tmp_path / "out"), decoded)


def test_images_come_in_order_and_as_numpy_writes_them(tmp_path, photographs):
    done = []
    out = tmp_path / "new" / "out"
    assert bring_in(photographs, out, on_photographs=done.append) == Imported(num_images=5, skipped={})
    assert sum(done) == 5
    names = ["a/y.PNG", "a/z.png", "b.png", "c/d/e.png", "k.png"]
    assert table(out) == [(str(number), name, "") for number, name in enumerate(names)]
    codes = images(out)
    for number, name in enumerate(names):
        bring_in(photographs / name, tmp_path / "one", force=True)  # a single file does too
        assert (images(tmp_path / "one")[0] == codes[number]).all()
    for name, array in (("l/gray_scale.npy", codes[..., 0]), ("ab/ab1.npy", codes[..., 1:])):
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array))
        assert (out / name).read_bytes() == buffer.getvalue()
    assert (out / ".gitignore").read_text(encoding="utf-8").splitlines()[1:] == ["/l", "/ab"]


@pytest.mark.parametrize("count", [4, 5])
def test_workers_change_nothing_and_batches_are_filled_in_turn(tmp_path, photographs, monkeypatch, count):
    monkeypatch.setattr("colorizer.photographs.imported_folder.BATCH_IMAGES", 2)
    if count == 4:
        (photographs / "k.png").unlink()
    for workers in (1, 3):
        bring_in(photographs, tmp_path / str(workers), workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    assert [len(batch) for batch in open_raw(tmp_path / "1").chroma] == [2, 2, 1][: (count + 1) // 2]


def test_skipped_with_a_reason(tmp_path, photographs):
    save(photographs / "a/grey.png", colors(7).mean(axis=-1).astype(np.uint8))
    save(photographs / "a/almost grey.png", (colors(8) // 32 + 100).astype(np.uint8))
    save(photographs / "small.png", colors(9, 7, 20))
    save(photographs / "twice.png", colors(0, 12, 14))
    (photographs / "bad.jpg").write_text("no photograph", encoding="utf-8")
    (photographs / "cut.png").write_bytes((photographs / "k.png").read_bytes()[:-60])
    skipped = {"unreadable": 2, "too small": 1, "near-grey": 2, "duplicate": 1}
    assert bring_in(photographs, tmp_path / "out") == Imported(num_images=5, skipped=skipped)
    rows = table(tmp_path / "out")
    assert [row[0] for row in rows if row[0]] == list("01234")
    reasons = {file: reason for image, file, reason in rows if not image}
    assert reasons["a/grey.png"] == "near-grey: no colours"
    assert reasons["a/almost grey.png"].startswith("near-grey: mean chroma ")
    assert reasons["small.png"] == "too small: 20 x 7 pixels"
    assert reasons["twice.png"] == "duplicate: same as b.png"
    assert reasons["bad.jpg"].startswith("unreadable: not a JPEG")
    assert reasons["cut.png"].startswith("unreadable: damaged: ")
    assert str(photographs) not in (tmp_path / "out/photographs.csv").read_text(encoding="utf-8")
    assert bring_in(photographs, tmp_path / "all", min_chroma=0).num_images == 7
    assert bring_in(photographs, tmp_path / "whole", fit="whole").num_images == 6  # its longer side is long enough


def test_crop_takes_the_middle(tmp_path):
    pixels = colors(0, 8, 20)
    save(tmp_path / "wide.png", pixels)
    bring_in(tmp_path / "wide.png", tmp_path / "out")
    assert (images(tmp_path / "out")[0] == rgb_to_codes(np.ascontiguousarray(pixels[:, 6:14]))).all()


@pytest.mark.parametrize("height", [1, 3, 4])
def test_whole_is_centred_and_mirrored(tmp_path, height):
    pixels = colors(0, height, 12)
    save(tmp_path / "wide.png", pixels)
    bring_in(tmp_path / "wide.png", tmp_path / "out", size=12, fit="whole")
    top = (12 - height) // 2
    expected = np.pad(pixels, ((top, 12 - height - top), (0, 0), (0, 0)), "reflect")
    assert (expected[top : top + height] == pixels).all()
    assert (images(tmp_path / "out")[0] == rgb_to_codes(expected)).all()


def test_turned_as_exif_says_and_laid_over_white(tmp_path):
    pixels = colors(0, 8, 16)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "in" / "turned.png", pixels, exif=exif)
    alpha = np.full((8, 16), 255, np.uint8)
    alpha[:, :8] = 0
    save(tmp_path / "in" / "veiled.png", np.dstack([pixels, alpha]))
    bring_in(tmp_path / "in", tmp_path / "out", size=16, fit="whole")
    turned, veiled = images(tmp_path / "out")
    assert (turned[:, 4:12] == rgb_to_codes(np.ascontiguousarray(np.rot90(pixels, -1)))).all()
    assert (veiled[4:12, :8] == (255, 128, 128)).all()
    assert (veiled[4:12, 8:] == rgb_to_codes(np.ascontiguousarray(pixels[:, 8:]))).all()


@pytest.mark.parametrize("fit", ["crop", "whole"])
def test_a_large_jpeg_is_decoded_smaller_but_never_too_small(tmp_path, fit):
    pixels = colors(0, 410, 1203)
    save(tmp_path / "large.jpg", pixels, quality=95, subsampling=0)
    save(tmp_path / "large.png", pixels)
    for suffix in ("jpg", "png"):
        bring_in(tmp_path / f"large.{suffix}", tmp_path / suffix, size=64, fit=fit)
    difference = images(tmp_path / "jpg").astype(int) - images(tmp_path / "png")
    assert np.abs(difference).max() <= 6


def test_replaces_only_when_told(tmp_path, photographs):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".gitignore").write_text("/mine\n/ab\n", encoding="utf-8")
    bring_in(photographs, out)
    before = contents(out)
    (photographs / "k.png").unlink()
    with pytest.raises(UserError, match=r"out already holds l, ab, photographs.csv: .* --force to replace them"):
        bring_in(photographs, out)
    assert contents(out) == before
    (out / "ab/ab2.npy").write_text("of an earlier import", encoding="utf-8")
    assert bring_in(photographs, out, force=True).num_images == 4
    assert open_raw(out).num_images == 4
    lines = (out / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("/")] == ["/mine", "/ab", "/l"]
    assert sorted(path.name for path in out.iterdir()) == [".gitignore", "ab", "l", "photographs.csv"]


@pytest.mark.parametrize("existing", [False, True])
def test_an_interruption_leaves_everything_as_it_was(tmp_path, photographs, existing):
    out = tmp_path / "new" / "out"
    if existing:
        bring_in(photographs / "a", out)
    before = contents(tmp_path)

    def interrupt(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_in(photographs, out, force=True, on_photographs=interrupt)
    assert contents(tmp_path) == before
    assert out.parent.exists() == existing
    assert not (out / ".import.partial").exists()
    (out / ".import.partial" / "ab").mkdir(parents=True)  # as after a power cut
    bring_in(photographs, out, force=True)
    assert not (out / ".import.partial").exists()


def test_a_failure_while_moving_moves_everything_back(tmp_path, photographs):
    out = tmp_path / "out"
    bring_in(photographs / "a", out)
    before = contents(out)
    with pytest.raises(FileNotFoundError):  # when l and ab have been moved
        bring_in(
            photographs,
            out,
            force=True,
            on_photographs=lambda count: (out / ".import.partial/photographs.csv").unlink(missing_ok=True),
        )
    assert contents(out) == before
    assert not (out / ".import.partial").exists()


@pytest.mark.parametrize("name", ["l/notes.txt", "ab/mine.npy", "l/gray_scale.npy"])
def test_force_replaces_nothing_but_an_import(tmp_path, photographs, name):
    """The user's own arrays have no photographs.csv beside them."""
    out = tmp_path / "out"
    if name != "l/gray_scale.npy":
        bring_in(photographs / "a", out)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("the user's", encoding="utf-8")
    before = contents(out)
    with pytest.raises(UserError, match="that no import made: choose another folder"):
        bring_in(photographs, out, force=True)
    assert contents(out) == before


def test_mistakes_are_one_clear_line(tmp_path, photographs):
    save(tmp_path / "poor" / "grey.png", np.full((20, 20), 90, np.uint8))
    save(tmp_path / "poor" / "small.png", colors(0, 4, 4))
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    cases = [
        (
            tmp_path / "poor",
            tmp_path / "out",
            {},
            "no image is left of 2 photographs .1 too small, 1 near-grey.: "
            "nothing was written; the first, grey.png, is near-grey: no colours$",
        ),
        (photographs, tmp_path / "out", {"size": 3}, "images of 3 x 3 pixels are too small: at least 4 x 4"),
        (photographs, tmp_path / "file", {}, "file cannot be written to: file exists"),
        (photographs, tmp_path / "file" / "out", {}, "file/out cannot be written to: not a directory"),
    ]
    for folder, out, changes, message in cases:
        with pytest.raises(UserError, match=message) as caught:
            bring_in(folder, out, **changes)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"
