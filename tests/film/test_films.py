"""`python -m colorizer colorize` with films, as a person uses it."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from colorizer.core.lab import rgb_to_lightness
from colorizer.networks.unet import UNet
from colorizer.video import plan
from tests.support.colorizer_command import run_colorizer
from tests.support.films import moving_crops, read_film, write_film
from tests.support.imports import ROOT
from tests.support.model_file import save_model

SEGMENT = 12  # frames
LOSSLESS = ("--codec", "ffv1")  # of equal frames x264 does not always make equal bytes
STAMPS = [number * 512 + 90 * (number % 3) for number in range(30)]  # of a variable frame rate


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    generator = UNet(width=4, num_downs=3, upsampling="resize")
    with torch.no_grad():
        generator.to_chroma.weight.mul_(50)  # or there are no colours to see
    return save_model(generator, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return list(moving_crops(30, 48, 64))


@pytest.fixture(scope="module")
def film(frames, tmp_path_factory) -> Path:
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", frames, stamps=STAMPS, audio="aac")


@pytest.fixture
def colorize(model, monkeypatch, capsys):
    """Run the command with short segments; gives exit code and what it printed on standard error."""
    monkeypatch.setattr(plan, "SEGMENT_FRAMES", SEGMENT)

    def run(*arguments: object) -> tuple[int, list[str]]:
        code = run_colorizer("colorize", *arguments, "--model", model)
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("colorize: ")]
        return code, [line.removeprefix("colorizer: ") for line in lines]

    return run


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    with av.open(f"file:{path}") as container:
        [stream] = [stream for stream in container.streams if stream.type == kind]
        whole = [packet for packet in container.demux(stream) if packet.size]
        return [(float(packet.pts * packet.time_base), bytes(packet)) for packet in whole]


def difference_of_lightness(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """In codes of L."""
    return np.abs(rgb_to_lightness(before) - rgb_to_lightness(np.ascontiguousarray(after)))


def chroma_of(frame: np.ndarray) -> float:
    return float(np.ptp(frame.astype(int), axis=-1).mean())


def test_a_film_keeps_its_time_stamps_and_its_sound(colorize, film, tmp_path):
    out = tmp_path / "out" / "film.mp4"
    assert colorize(film, "--out", out) == (0, [f"30 frames coloured in {out}"])
    assert list(out.parent.iterdir()) == [out]
    (stamps, before), (new_stamps, after) = read_film(film), read_film(out)
    assert new_stamps == stamps == STAMPS
    assert packets(out, "audio") == packets(film, "audio")
    assert min(map(chroma_of, after)) > 1
    assert difference_of_lightness(before[-1], after[-1]).mean() < 4  # small films lose most by the codec
    with av.open(str(out)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (6, 1)

    coloured = out.read_bytes()
    assert colorize(film, "--out", out) == (1, [f"{out} exists: --force replaces it"])
    assert colorize(film, "--out", out, "--strength", "0", "--force")[0] == 0
    assert chroma_of(read_film(out)[1][0]) < 1
    assert out.read_bytes() != coloured


def test_segments_may_be_coloured_in_any_order_and_by_several_processes(colorize, film, tmp_path):
    whole, out = tmp_path / "whole.mkv", tmp_path / "film.mkv"
    colorize(film, "--out", whole, *LOSSLESS)
    for number in (3, 1, 3):
        told = [f"segment {number} of 3 in {out}.parts"]
        assert colorize(film, "--out", out, "--segment", number, *LOSSLESS) == (0, told)
    parts = {path: path.stat().st_mtime_ns for path in Path(f"{out}.parts").glob("0*.part")}
    assert len(parts) == 2
    assert (
        colorize(film, "--out", out, "--segment", 2, "--strength", 0.5, *LOSSLESS)[0] == 0
    )  # other settings do not count
    assert {path: path.stat().st_mtime_ns for path in parts} == parts
    assert colorize(film, "--out", out, *LOSSLESS)[0] == 0
    assert out.read_bytes() == whole.read_bytes()
    code, [line] = colorize(film, "--out", tmp_path / "x.mp4", "--segment", 4)
    assert (code, line) == (1, "--segment 4: the film has the segments 1 to 3")


def test_a_film_goes_on_after_a_kill(colorize, film, model, tmp_path):
    whole, out = tmp_path / "whole.mkv", tmp_path / "film.mkv"
    colorize(film, "--out", whole, *LOSSLESS)
    script = (
        "from colorizer.video import plan; from colorizer.__main__ import main\n"
        f"plan.SEGMENT_FRAMES = {SEGMENT}\nmain()"
    )
    command = [sys.executable, "-c", script, "colorize", str(film), "--out", str(out), "--model", str(model), *LOSSLESS]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not (parts := list(Path(f"{out}.parts").glob("0*.part"))):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    written = parts[0].stat().st_mtime_ns
    colorize(film, "--out", out, "--segment", 1, *LOSSLESS)
    assert parts[0].stat().st_mtime_ns == written
    assert colorize(film, "--out", out, *LOSSLESS)[0] == 0
    assert out.read_bytes() == whole.read_bytes()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can become larger than 1,500 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_costs_no_whole_segment(colorize, film, tmp_path):
    out = tmp_path / "film.mp4"
    colorize(film, "--out", out, "--segment", 1)
    with full_disk():
        code, [line] = colorize(film, "--out", out)
    assert code == 1
    assert line.startswith(f"{out}.parts/00002-")
    assert line.endswith(": file too large; make room and run again, nothing was overwritten; 1 of 3 segments are kept")
    for number in (2, 3):
        assert colorize(film, "--out", out, "--segment", number)[0] == 0
    with full_disk():
        told = f"{out}: file too large; make room and run again, nothing was overwritten"
        assert colorize(film, "--out", out) == (1, [told])
    assert not out.exists()
    assert colorize(film, "--out", out) == (0, [f"30 frames coloured in {out}"])


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libvpx-vp9", "ffv1"])
def test_codecs(colorize, film, codec, tmp_path):
    out = tmp_path / "film.mkv"
    assert colorize(film, "--out", out, "--codec", codec)[0] == 0
    (_, before), (stamps, after) = read_film(film), read_film(out)
    assert len(stamps) == 30
    assert stamps == [round(stamp / 12.8) for stamp in STAMPS]  # Matroska's are milliseconds
    if codec == "ffv1":
        assert max(difference_of_lightness(*pair).max() for pair in zip(before, after, strict=True)) < 1


def test_turned_films_stand_upright_and_keep_their_aspect(colorize, frames, tmp_path):
    film = write_film(tmp_path / "film.mp4", frames[:6], rotation=90, pixel_aspect=Fraction(4, 3))
    out = tmp_path / "out.mp4"
    assert colorize(film, "--out", out)[0] == 0
    (_, before), (_, after) = read_film(film), read_film(out)
    assert before[0].shape == after[0].shape == (64, 48, 3)
    assert difference_of_lightness(before[0], after[0]).mean() < 4
    with av.open(str(out)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(3, 4)


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        (".mkv", {"codec": "libx265", "pixel_format": "yuv420p10le", "options": {"x265-params": "log-level=none"}}),
        (".mp4", {"pixel_format": "yuvj420p", "tags": {"color_range": 2, "colorspace": 1}}),
        (".avi", {"codec": "mpeg4", "options": {"bf": "2"}, "time_base": Fraction(1, 25), "audio": "mp2"}),
        (".ts", {"audio": "aac"}),
        (".mkv", {"codec": "ffv1", "pixel_format": "gray", "options": {}}),
    ],
    ids=["10 bits", "full range", "AVI", "MPEG-TS", "grey"],
)
def test_kinds_of_films(colorize, frames, suffix, how, tmp_path):
    film = write_film(tmp_path / f"a:film{suffix}", frames, **how)
    out = tmp_path / "http:out.mkv"
    assert colorize(film, "--out", out, "--codec", "ffv1") == (0, [f"30 frames coloured in {out}"])
    (stamps, before), (new_stamps, after) = read_film(film), read_film(out)
    assert len(stamps) == len(new_stamps) == 30
    assert max(difference_of_lightness(*pair).mean() for pair in zip(before, after, strict=True)) < 1


def test_odd_sizes_are_padded(colorize, frames, tmp_path):
    film = write_film(
        tmp_path / "film.mkv", [frame[:47, :63] for frame in frames[:3]], codec="ffv1", pixel_format="gray", options={}
    )
    out = tmp_path / "out.mp4"
    told = f"3 frames coloured in {out}; 64 x 48 px, because libx264 needs even sides"
    assert colorize(film, "--out", out) == (0, [told])
    assert read_film(out)[1][0].shape == (48, 64, 3)


def test_fields_become_frames(colorize, tmp_path):
    """Of a bar that moves, each second row shows it where it was half a frame later: a comb."""
    woven = []
    for number in range(8):
        frame = np.full((48, 64, 3), 40, np.uint8)
        for parity in (0, 1):
            left = 8 + 4 * number + 2 * parity
            frame[parity::2, left : left + 12] = 200
        woven.append(frame)
    film = write_film(
        tmp_path / "film.mp4", woven, interlaced=True, options={"crf": "5", "x264-params": "interlaced=1:tff=1"}
    )
    out = tmp_path / "out.mkv"
    assert colorize(film, "--out", out, "--codec", "ffv1")[0] == 0
    comb_before, comb_after = (
        np.abs(np.diff(rgb_to_lightness(np.ascontiguousarray(read_film(path)[1][4])), axis=0)).mean()
        for path in (film, out)
    )
    assert comb_after < comb_before / 4
    assert len(read_film(out)[0]) == 8


def test_a_film_that_breaks_off(colorize, film, tmp_path):
    whole, cut, out = tmp_path / "whole.mkv", tmp_path / "cut.mkv", tmp_path / "out.mkv"
    with av.open(str(film)) as source, av.open(str(whole), "w") as copy:
        [video] = source.streams.video
        stream = copy.add_stream_from_template(video, opaque=True)
        for packet in source.demux(video):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    code, [line] = colorize(cut, "--out", out)
    count = len(read_film(out)[0])
    assert code == 1
    assert 3 < count < 27
    assert line.startswith(f"{count} frames coloured in {out}; ")
    assert line.endswith(f"{cut} breaks off at 0:00:01 of 0:00:01: give a whole copy of it to colour the rest")


def test_what_is_no_film(colorize, film, tmp_path):
    out = tmp_path / "out.mp4"
    (tmp_path / "text.mp4").write_text("no film", encoding="utf-8")
    (tmp_path / "cut.mp4").write_bytes(film.read_bytes()[:9000])  # its index was at the end
    for name in ("text", "cut"):
        code, [line] = colorize(tmp_path / f"{name}.mp4", "--out", out)
        assert code == 1
        assert line.startswith(f"{tmp_path / name}.mp4 is damaged or not a film (")
    sound = tmp_path / "sound.mkv"
    with av.open(str(film)) as source, av.open(str(sound), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    told = f"{sound} has no video stream: there is nothing to colour"
    assert colorize(sound, "--out", out) == (1, [told])
    assert colorize(tmp_path / "gone.mp4", "--out", out) == (1, [f"{tmp_path / 'gone.mp4'} does not exist"])
    assert not out.exists()
    assert not list(tmp_path.glob("*.parts"))


def test_options_that_do_not_fit(colorize, film, tmp_path):
    out, photograph = tmp_path / "out.mp4", tmp_path / "photograph.png"
    Image.new("L", (32, 32)).save(photograph)
    codecs = "libx264, libx265, libsvtav1, libvpx-vp9, ffv1"
    for arguments, line in [
        ((film, "--codec", "h264"), f"--codec h264: take one of {codecs}"),
        ((film, "--quality", "60"), "--quality 60: libx264 takes 0 (best) to 51 (smallest file)"),
        ((film, "--quality", "1", "--codec", "ffv1"), "--quality 1: ffv1 is lossless and takes none"),
        ((film, "--format", "png"), "--format png is for photographs: --codec says how a film is written"),
        (
            (film, "--frames-per-second", "25"),
            f"--frames-per-second is for a folder of frames: {film} keeps the rate that it has",
        ),
        ((film, "--compare"), f"--compare is for photographs, and {film} is a film"),
        ((film, "--hint", "1,2=#aabbcc"), f"--hint is for photographs, and {film} is a film"),
        ((film, photograph), f"{film} is a film: colour one film at a time, and photographs apart"),
        ((photograph,), f"{photograph} is neither a film nor a folder of frames, of which a film could be made"),
    ]:
        assert colorize(*arguments, "--out", out) == (1, [line])
    assert colorize(film, "--out", film) == (1, [f"{film} is both input and output: choose another name with --out"])
    webm = tmp_path / "out.webm"
    code, [line] = colorize(film, "--out", webm)
    assert (code, line) == (1, f"{webm}: .webm cannot hold the film's audio (aac); choose .mkv")
    code, [line] = colorize(film, "--out", tmp_path / "folder")
    assert line.startswith(f"--out {tmp_path / 'folder'}: of a film a film is made; its name has to end in .mp4, ")
    code, [line] = colorize(photograph, "--out", tmp_path / "folder", "--codec", "ffv1")
    assert line == f"--codec ffv1 is for films: {photograph} is none"
    assert sorted(tmp_path.iterdir()) == [photograph]


def test_a_folder_of_frames(colorize, frames, tmp_path):
    folder, out, pictures = tmp_path / "frames", tmp_path / "film.mp4", tmp_path / "pictures"
    folder.mkdir()
    for number, frame in enumerate(frames[:20]):
        Image.fromarray(frame).save(folder / f"{number}.png")
    assert colorize(folder, "--out", out, "--frames-per-second", "25") == (0, [f"20 frames coloured in {out}"])
    stamps, after = read_film(out)
    with av.open(str(out)) as container:
        assert container.streams.video[0].average_rate == 25
    assert len(stamps) == 20
    assert difference_of_lightness(frames[9], after[9]).mean() < 4

    as_film = ("--frames-per-second", "25")
    assert colorize(folder, "--out", pictures, *as_film) == (0, [f"20 frames coloured in {pictures}"])
    with Image.open(pictures / "9.png") as image:
        assert difference_of_lightness(frames[9], np.asarray(image)).max() < 1
    (pictures / "19.png").unlink()
    told = f"8 frames coloured in {pictures}; 12 left as they were (--force colours them again)"
    assert colorize(folder, "--out", pictures, *as_film) == (0, [told])

    Image.fromarray(frames[0][:40]).save(folder / "20.png")
    code, [line] = colorize(folder, "--out", tmp_path / "other.mp4")
    assert code == 1
    assert "20.png has 64 x 40 px and 0.png 64 x 48: the frames of a film have one size" in line


@pytest.mark.thorough
def test_the_memory_does_not_grow_with_the_length(model, tmp_path):
    """Of films of 1 and 3 segments: each in a process of its own."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    taken = []
    for count in (240, 720):
        film = write_film(tmp_path / f"{count}.mp4", list(moving_crops(count, 96, 160)))
        command = ["-m", "colorizer", "colorize", film, "--out", tmp_path / f"{count}-out.mp4", "--model", model]
        run = [sys.executable, "-c", script, sys.executable, *map(os.fspath, command)]
        taken.append(int(subprocess.run(run, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout))
    assert taken[1] < 1.1 * taken[0]
