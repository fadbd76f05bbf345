"""Every input has an output of its own on the file system at hand, or is refused before anything is written."""

import os
import sys
from pathlib import Path

import pytest

from colorizer.core.errors import UserError
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.jobs import plan_jobs, shard_of


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def planned(*inputs: Path, out: Path) -> list[str]:
    return [job.target.relative_to(out).as_posix() for job in plan_jobs(inputs, out, "png")]


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def ignore_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on make files as a file system does for which upper case, and forms of Unicode, are the same letters."""
    system = os.open

    def make_file(path, flags, *rest, **options):
        folder, name = os.path.split(path)
        known = Path(folder, name.lower().replace("u\u0308", "\xfc")) if flags & os.O_CREAT else path
        return system(known, flags, *rest, **options)

    monkeypatch.setattr(os, "open", make_file)


ALIKE = [("a.jpg", "A.jpg"), ("a.jpg", "a.JPG"), ("a.jpg", "b.jpg", "A.png")]
if sys.getfilesystemencoding() == "utf-8":
    ALIKE.append(("trip/\xfc.jpg", "trip/u\u0308.jpg"))


@pytest.mark.parametrize("names", ALIKE)
def test_names_that_are_alike_are_two_where_the_file_system_says_so(tmp_path, names):
    album, out = make(tmp_path / "album", *names), tmp_path / "out"
    assert len(set(planned(album, out=out))) == len(names)
    assert not out.exists()


@pytest.mark.parametrize("names", ALIKE)
def test_names_that_are_one_are_refused(tmp_path, monkeypatch, names):
    album, out = make(tmp_path / "album", *names), tmp_path / "new" / "out"
    before = tree(tmp_path)
    ignore_case(monkeypatch)
    with pytest.raises(UserError, match=f"two inputs would become {out}/.*png, the second is {album}/.*: colour them"):
        plan_jobs([album], out, "png")
    assert tree(tmp_path) == before


def test_a_folder_and_a_photograph_of_one_name(tmp_path):
    album = make(tmp_path / "album", "a.jpg", "A.PNG/x.jpg")
    assert planned(album, out=tmp_path / "out") == ["A.PNG/x.png", "a.png"]
    make(album, "a.png/x.jpg")
    with pytest.raises(UserError, match="two inputs would become a file and a folder of one name, the second is"):
        plan_jobs([album], tmp_path / "out", "png")


@pytest.mark.parametrize(
    ("links", "names"),
    [
        ({"s1": "s2"}, ["s1/a.jpg", "s2/a.jpg"]),
        ({"s1": "."}, ["a.jpg", "s1/a.jpg"]),
        ({"s1": ".."}, ["a.jpg", "s1/out/a.jpg"]),
        ({"s1": "../elsewhere", "s2": "../elsewhere/deep"}, ["s1/deep/a.jpg", "s2/a.jpg"]),
        ({"s1": "s2"}, ["s1/a.jpg", "s2/a.png/b.jpg"]),
    ],
)
def test_links_in_the_output_make_no_two_inputs_one(tmp_path, links, names):
    album = make(tmp_path / "album", *names)
    out = make(tmp_path, "elsewhere/deep/b.png", "out/b.png") / "out"
    if "s2" not in links:
        make(out, "s2/b.png")
    for link, target in links.items():
        (out / link).symlink_to(target)
    before = tree(tmp_path)
    with pytest.raises(UserError, match=f"two inputs would become .*, the second is {album}/{names[1]}: colour them"):
        plan_jobs([album], out, "png")
    assert tree(tmp_path) == before
    (album / names[0]).rename((album / names[0]).with_name("c.jpg"))
    assert len(planned(album, out=out)) == 2


def test_a_link_in_the_output_to_an_input_is_refused(tmp_path):
    album, out = make(tmp_path / "album", "trip/a.png"), make(tmp_path / "out", "kept.png")
    (out / "trip").symlink_to(album / "trip")
    with pytest.raises(UserError, match=r"out/trip/a.png would overwrite an input: choose another folder with --out"):
        plan_jobs([album], out, "png")


def test_a_folder_in_the_way(tmp_path):
    make(tmp_path / "out", "a.png/x.png")
    with pytest.raises(UserError, match=r"out/a.png is a folder, so .*album/a.jpg cannot become it: choose another"):
        plan_jobs([make(tmp_path / "album", "a.jpg")], tmp_path / "out", "png")


def test_an_input_under_another_name_is_not_overwritten(tmp_path):
    """Two names in one folder, one file: so it looks where case is ignored."""
    album = make(tmp_path / "album", "A.PNG")
    (album / "A.png").hardlink_to(album / "A.PNG")
    with pytest.raises(UserError, match=r"A.png would overwrite an input: choose another folder with --out"):
        plan_jobs([album / "A.PNG"], album, "png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "A.png").hardlink_to(album / "A.PNG")  # a copy elsewhere is replaced, and the input stays
    assert planned(album / "A.PNG", out=tmp_path / "out") == ["A.png"]


def test_a_name_that_becomes_too_long(tmp_path):
    album = make(tmp_path / "album", f"{'x' * 251}.jpg")
    assert planned(album, out=tmp_path / "out") == [f"{'x' * 251}.png"]
    with pytest.raises(UserError, match=r"written: file name too long; choose another name for .*another --f"):
        plan_jobs([album], tmp_path / "out", "webp")


def test_linked_folders_count_and_loops_end(tmp_path):
    make(tmp_path / "elsewhere", "far.jpg", "deep/far.jpg")
    album = make(tmp_path / "album", "a.jpg", "trip/b.jfif", "trip/c.JPE")
    for link, target in {
        "linked": "../elsewhere",
        "trip/again": "../../elsewhere/deep",
        "loop": ".",
        "trip/up": "../..",
        "../elsewhere/back": "../album",
    }.items():
        (album / link).symlink_to(target)
    linked = ["linked/deep/far.png", "linked/far.png"]
    assert planned(album, out=tmp_path / "out") == ["a.png", *linked, "trip/again/far.png", "trip/b.png", "trip/c.png"]
    make(tmp_path / "elsewhere" / "out", "a.png")  # an output inside of a linked folder is no input
    assert planned(album, out=tmp_path / "elsewhere" / "out")[:3] == ["a.png", *linked]


@pytest.mark.parametrize("shard", ["\xb2/4", "1/\u0664", "0/4", "5/4", "1/4/", "1", "-1/4", f"1/{'9' * 5000}"])
def test_shards_that_are_none(shard):
    with pytest.raises(UserError, match="write K/N with K from 1 to N"):
        shard_of([], shard)


def test_a_link_to_itself_is_left_to_whoever_reads_it(tmp_path):
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "loop.jpg").symlink_to("loop.jpg")
    [job] = plan_jobs([tmp_path / "album"], tmp_path / "out", "png")
    assert job.source == tmp_path / "album" / "loop.jpg"
    with pytest.raises(UserError, match="Too many levels of symbolic links"):
        read_photograph(job.source)
