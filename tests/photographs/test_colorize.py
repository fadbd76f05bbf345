"""`python -m colorizer colorize` as a person uses it, with the miniature's model."""

import csv
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from colorizer.data.sample import built_in_photographs
from colorizer.networks.safetensors_file import read_tensors, write_tensors
from tests.support.colorizer_command import run_colorizer
from tests.support.workspace import BIN

MODEL = "models/generator.safetensors"


@pytest.fixture
def colorize(miniature, monkeypatch, capsys):
    """Run the command in the miniature; gives exit code and what it printed on standard error."""
    monkeypatch.chdir(miniature.path)

    def run(*arguments: object) -> tuple[int, list[str]]:
        code = run_colorizer("colorize", *arguments)
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("colorize: ")]
        return code, [line.removeprefix("colorizer: ") for line in lines]

    return run


@pytest.fixture
def album(tmp_path) -> Path:
    """Three photographs in two folders."""
    folder = tmp_path / "album"
    (folder / "trips").mkdir(parents=True)
    photographs = dict(built_in_photographs())
    Image.fromarray(photographs["china.jpg"]).convert("L").save(folder / "china.jpg")
    Image.fromarray(photographs["coffee.png"][:101, :57]).save(folder / "trips" / "coffee.png")
    Image.fromarray(photographs["flower.jpg"]).resize((64, 43)).save(folder / "trips" / "flower.webp")
    return folder


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_folder(colorize, album, tmp_path):
    out = tmp_path / "out"
    code, lines = colorize(album, "--out", out, "--compare")
    assert (code, lines) == (0, [f"3 coloured in {out}; before and after on 1 sheets in {out / 'before-after'}"])
    assert files(out) == ["before-after/001.png", "china.png", "trips/coffee.png", "trips/flower.png"]
    for name, source in {"china.png": "china.jpg", "trips/coffee.png": "trips/coffee.png"}.items():
        before, after = (pixels(path) for path in (album / source, out / name))
        assert before.shape == after.shape
        assert np.abs(rgb2lab(before)[..., 0] - rgb2lab(after)[..., 0]).max() * 2.55 < 1.6
        assert np.ptp(after.astype(int), axis=-1).mean() > 0.5
    assert pixels(out / "before-after/001.png").shape[1] > 3 * 256

    colored = (out / "china.png").read_bytes()
    (out / "trips/flower.png").unlink()
    assert colorize(album, "--out", out) == (
        0,
        [f"1 coloured in {out}; 2 left as they were (--force colours them again)"],
    )
    assert colorize(album, "--out", out, "--strength", "0", "--force", "--compare")[0] == 0
    assert sorted(path.name for path in (out / "before-after").iterdir()) == ["001.png", "002.png"]
    assert (out / "china.png").read_bytes() != colored
    assert (np.ptp(pixels(out / "china.png"), axis=-1) == 0).all()


def test_one_bad_file_does_not_stop_the_rest(colorize, album, tmp_path):
    (album / "notes.jpg").write_text("not a photograph", encoding="utf-8")
    whole = (album / "china.jpg").read_bytes()
    (album / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    code, lines = colorize(album, "--out", out, "--format", "webp")
    assert code == 1
    assert len(lines) == 3
    assert f"{album / 'notes.jpg'} is not a JPEG, PNG, WebP, TIFF, HEIC or AVIF" in lines[0]
    assert f"{album / 'cut.jpg'} is damaged: image file is truncated" in lines[1]
    assert lines[2] == f"3 coloured in {out}; 2 failed"
    assert files(out) == ["china.webp", "trips/coffee.webp", "trips/flower.webp"]


def test_photographs_whose_headers_mislead(colorize, album, tmp_path):
    """Turned by XMP alone, which Pillow learns when it decodes: another shape than that of their batch."""
    shutil.rmtree(album / "trips")
    upright = Image.open(album / "china.jpg")
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for number in range(2):
        upright.save(album / f"{number}.tif")
    upright.save(album / "turned.tif", tiffinfo={700: xmp})
    upright.close()
    out = tmp_path / "out"
    assert colorize(album, "--out", out)[0] == 0
    assert pixels(out / "0.png").shape == pixels(out / "china.png").shape == (427, 640, 3)
    assert pixels(out / "turned.png").shape == (640, 427, 3)


def test_names_of_any_bytes_and_links_to_nowhere(miniature, album, tmp_path):
    name = os.fsencode(album) + b"/\xff.jpg"
    with open(name, "wb") as file:  # noqa: PTH123 - no Path for such a name
        file.write(b"not a photograph")
    (album / "gone.png").symlink_to(album / "nowhere.png")
    python = str(BIN / "python")
    told = miniature.run(
        python, "-m", "colorizer", "colorize", str(album), "--out", str(tmp_path / "out"), check=False
    ).stdout
    assert "\\udcff.jpg is not a JPEG" in told
    assert "gone.png cannot be read: no such file or directory" in told
    assert told.endswith(f"colorizer: 3 coloured in {tmp_path / 'out'}; 2 failed\n")


PIPE = "is a pipe, a socket or a device: save what comes from it as a file"


def test_a_pipe_is_told_and_not_waited_for(colorize, album, tmp_path):
    os.mkfifo(album / "pipe.jpg")
    (album / "trips" / "link.png").symlink_to(album / "pipe.jpg")
    (album / "null.png").symlink_to(os.devnull)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(album / "socket.jpg"))
    out = tmp_path / "out"
    told = [f"{album}/{name} {PIPE}" for name in ("null.png", "pipe.jpg", "socket.jpg", "trips/link.png")]
    assert colorize(album, "--out", out) == (1, [*told, f"3 coloured in {out}; 4 failed"])
    assert colorize(album / "pipe.jpg", "--out", out) == (1, [told[1], f"0 coloured in {out}; 1 failed"])
    for given, count in ((album, 7), (album / "pipe.jpg", 1)):
        assert run_colorizer("import", given, "--out", tmp_path / str(count), "--size", "32") == (count == 1)
    with (tmp_path / "7" / "photographs.csv").open(encoding="utf-8", newline="") as file:
        assert [row["skipped"] for row in csv.DictReader(file)].count(f"unreadable: {PIPE[3:]}") == 4


def test_names_as_long_as_the_file_system_allows(colorize, album, tmp_path):
    """The temporary names of outputs are longer than theirs."""
    album = album.rename(tmp_path / "long")
    for length in (247, 251):
        shutil.copy(album / "china.jpg", album / f"{'x' * length}.jpg")
    out = tmp_path / "out"
    assert colorize(album, "--out", out) == (0, [f"5 coloured in {out}"])
    assert f"{'x' * 251}.png" in files(out)
    code, [line] = colorize(album, "--out", out, "--format", "webp")
    assert code == 1
    assert f"{'x' * 251}.webp cannot be written: file name too long; choose another name for {album}" in line


def test_control_characters_of_names_do_not_reach_the_terminal(colorize, album, tmp_path):
    (album / "\x1b[31mred\n\x7f.jpg").write_bytes(b"not a photograph")
    [line, _] = colorize(album, "--out", tmp_path / "out")[1]
    assert line.startswith(f"{album}/\\x1b[31mred\\n\\x7f.jpg is not a JPEG")
    assert colorize(album / "china.jpg", "--out", tmp_path / "a\rb")[1] == [f"1 coloured in {tmp_path}/a\\rb"]


def test_sheets_do_not_take_the_place_of_photographs(colorize, album, tmp_path):
    (album / "trips").rename(album / "before-after")
    [line] = colorize(album, "--out", tmp_path / "out", "--compare")[1]
    assert line.startswith(f"{tmp_path}/out/before-after is for the sheets of --compare: choose another --out for ")
    assert colorize(album, "--out", tmp_path / "out")[0] == 0


def test_libtiff_says_nothing_itself(miniature, album, tmp_path):
    Image.open(album / "china.jpg").save(album / "cut.tif", compression="tiff_deflate")
    whole = (album / "cut.tif").read_bytes()
    (album / "cut.tif").write_bytes(whole[:8] + bytes(1000) + whole[1008:])
    python = str(BIN / "python")
    told = miniature.run(
        python, "-m", "colorizer", "colorize", str(album / "cut.tif"), "--out", str(tmp_path), check=False
    )
    assert [line.partition(" is damaged: ")[0] for line in told.stdout.splitlines() if "img/s" not in line] == [
        f"colorizer: {album / 'cut.tif'}",
        f"colorizer: 0 coloured in {tmp_path}; 1 failed",
    ]


def test_equal_names_keep_their_suffixes_and_inputs_are_safe(colorize, album, tmp_path):
    shutil.copy(album / "china.jpg", album / "trips" / "coffee.jpg")
    out = tmp_path / "out"
    assert colorize(album, "--out", out)[0] == 0
    assert files(out) == ["china.png", "trips/coffee.jpg.png", "trips/coffee.png.png", "trips/flower.png"]
    [line] = colorize(album / "trips/coffee.png", "--out", album / "trips", "--force")[1]
    assert line.endswith("coffee.png would overwrite an input: choose another folder with --out")
    [line] = colorize(album / "china.jpg", album / "trips", album / "trips/coffee.png", "--out", out)[1]
    assert line.startswith("two inputs would become") or "coloured" in line


def test_an_output_inside_the_input_is_no_input(colorize, album):
    assert colorize(album, "--out", album / "coloured")[0] == 0
    found = files(album / "coloured")
    assert colorize(album, "--out", album / "coloured", "--force")[1] == [f"3 coloured in {album / 'coloured'}"]
    assert files(album / "coloured") == found
    [line] = colorize(album, "--out", album, "--force")[1]
    assert line == f"{album} is both input and output: choose another folder with --out"


def test_shards_are_all_of_it_once(colorize, album, tmp_path):
    done = []
    for number in (1, 2):
        out = tmp_path / str(number)
        assert colorize(album, "--out", out, "--shard", f"{number}/2", "--compare")[0] == 0
        assert (out / f"before-after-{number}-of-2" / "001.png").exists()
        shutil.rmtree(out / f"before-after-{number}-of-2")
        done += files(out)
    assert sorted(done) == ["china.png", "trips/coffee.png", "trips/flower.png"]
    assert "write K/N" in colorize(album, "--out", tmp_path, "--shard", "3/2")[1][0]


def test_any_checkpoint_colours_alone_and_in_a_batch_the_same(colorize, album, miniature, tmp_path):
    for name in ("a", "b"):
        shutil.copy(album / "china.jpg", album / f"{name}.jpg")
    [first, second] = sorted(miniature.path.glob("models/checkpoints/*.safetensors"))
    outputs = []
    for number, (model, inputs) in enumerate(((first, album), (second, album), (second, album / "china.jpg"))):
        assert colorize(inputs, "--out", tmp_path / str(number), "--model", model, "--strength", "4")[0] == 0
        outputs.append(pixels(tmp_path / str(number) / "china.png").astype(int))
    assert (outputs[0] != outputs[1]).any()
    assert np.abs(outputs[1] - outputs[2]).max() <= 1
    a, b = (pixels(tmp_path / "1" / f"{name}.png") for name in ("a", "b"))
    np.testing.assert_array_equal(a, b)


def test_mistakes_are_told_in_one_line(colorize, album, tmp_path):
    (tmp_path / "file").write_text("here", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.safetensors").write_text("not a model at all", encoding="utf-8")
    (tmp_path / "text.onnx").write_text("not a model at all", encoding="utf-8")
    mistakes = {
        (tmp_path / "nowhere", "--out", tmp_path / "out"): "nowhere does not exist",
        (tmp_path / ("x" * 300), "--out", tmp_path / "out"): "file name too long",
        (album, "--out", tmp_path / "file"): "file is a file: a folder is needed",
        (album, "--out", tmp_path / "out", "--model", "generator#"): "generator# is not registered in",
        ("", "--out", tmp_path / "out"): "an argument is empty: as a path it would be this folder; write . if that",
        (album, "--out="): "an argument is empty",
        (tmp_path / "empty", "--out", tmp_path / "out"): "holds no photographs: expected files named",
        (album, "--out", tmp_path / "file" / "out"): "cannot be written to: not a directory",
        (
            album,
            "--out",
            tmp_path / "out",
            "--model",
            tmp_path / "no.safetensors",
        ): "no.safetensors is missing: is the name right?",
        (album, "--out", tmp_path / "out", "--model", tmp_path / "no.onnx"): "no.onnx is missing: make it with",
        (
            album,
            "--out",
            tmp_path / "out",
            "--model",
            tmp_path / "text.safetensors",
        ): "is damaged or not of this project",
        (album, "--out", tmp_path / "out", "--model", tmp_path / "text.onnx"): "is damaged or not an ONNX file",
        (album, "--out", tmp_path / "out", "--model", album / "china.jpg"): "is not a model: expected a .safetensors",
        (album, "--out", tmp_path / "out", "--model", "generator#prod"): "generator#prod is not registered in",
    }
    for arguments, message in mistakes.items():
        code, lines = colorize(*arguments)
        assert code == 1, arguments
        [line] = lines
        assert message in line, line
    assert not files(tmp_path / "out") if (tmp_path / "out").exists() else True


def test_a_model_of_another_architecture(colorize, album, tmp_path, miniature):
    tensors, metadata = read_tensors(miniature.path / MODEL)
    wider = metadata | {"generator": metadata["generator"] | {"width": 8}}
    write_tensors(tmp_path / "wider.safetensors", tensors, wider)
    write_tensors(tmp_path / "state.safetensors", tensors, {"epoch": 3})
    for name in ("wider", "state"):
        code, lines = colorize(album, "--out", tmp_path / "out", "--model", tmp_path / f"{name}.safetensors")
        [line] = lines
        assert code == 1
        assert "is not a generator of this project" in line
        assert len(line) < 400


def test_a_registered_name(committed, album, tmp_path):
    def run(*arguments: str) -> str:
        return committed.run(*arguments, check=False).stdout

    for step in (["register", "generator", "--version", "v1.0.0"], ["assign", "generator", "--stage", "prod"]):
        run(str(BIN / "gto"), *step)
    (committed.path / MODEL).unlink()
    python = str(BIN / "python")
    told = run(python, "-m", "colorizer", "colorize", str(album), "--out", "out", "--model", "generator#prod")
    assert told.endswith("colorizer: 3 coloured in out\n")
    told = run(
        python, "-m", "colorizer", "colorize", str(album), "--out", "out", "--model", "generator@v2.0.0", "--force"
    )
    assert "generator@v2.0.0 is not registered" in told
    assert "registered: generator@v1.0.0" in told
