"""What is said about files before DVC or NumPy reads them."""

import os
import socket
import sys

import pytest

from colorizer.core.errors import UserError
from colorizer.data.raw_files import find_chroma_files, find_lightness_file, refuse_unreadable_folders

BATCHES = ("ab1.npy", "ab2.npy", "ab3.npy")


@pytest.fixture
def root(tmp_path):
    for name in ("l/gray_scale.npy", *(f"ab/{name}" for name in BATCHES)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (BATCHES, BATCHES),
        (("ab0.npy", "ab1.npy"), ("ab0.npy", "ab1.npy")),
        (("ab01.npy", "ab02.npy"), ("ab01.npy", "ab02.npy")),
        (("ab1.npy", "ab2.npy", ".ab9.npy", "ab9.npz", "xab9.npy", "notes.txt"), ("ab1.npy", "ab2.npy")),
        ([f"ab{number}.npy" for number in range(1, 13)], [f"ab{number}.npy" for number in range(1, 13)]),
    ],
)
def test_batches_are_found_in_their_order(tmp_path, names, found):
    (tmp_path / "ab").mkdir()
    for name in reversed(names):
        (tmp_path / "ab" / name).touch()
    assert [path.name for path in find_chroma_files(tmp_path)] == list(found)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("ab1.npy", "ab3.npy", "ab4.npy"), "ab2.npy"),
        (("ab2.npy", "ab3.npy"), "ab1.npy"),
        (("ab0.npy", "ab2.npy"), "ab1.npy"),
        ([f"ab{number}.npy" for number in range(1, 13) if number != 10], "ab10.npy"),
        (["ab2026.npy"], "ab1.npy"),
    ],
)
def test_a_gap_in_the_numbers_is_named(tmp_path, names, missing):
    (tmp_path / "ab").mkdir()
    for name in names:
        (tmp_path / "ab" / name).touch()
    with pytest.raises(UserError, match=rf"ab holds {', '.join(names)} but no {missing}: put it there, or number"):
        find_chroma_files(tmp_path)


@pytest.mark.parametrize(
    "name", ["ab3.NPY", "AB3.npy", *(["ab٣.npy"] if sys.getfilesystemencoding() == "utf-8" else [])]
)
def test_what_is_almost_called_a_batch_is_not_left_out(root, name):
    (root / "ab" / name).touch()
    with pytest.raises(UserError, match=r"is not called ab3\.npy: rename it, or remove it if it is no chroma batch"):
        find_chroma_files(root)


def bind(path):
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)  # such names are short
        server.bind(path.name)


SPOILED = {
    "a broken link": (lambda path: path.symlink_to("gone"), "it is a link to gone, which is not there"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "it is a link to .*, which is not there"),
    "a pipe": (os.mkfifo, "it is neither a file nor a folder"),
    "a socket": (bind, "it is neither a file nor a folder"),
}


@pytest.mark.parametrize("name", ["ab/ab2.npy", "l/gray_scale.npy", "ab/notes.txt", "l/older/thing", "ab"])
@pytest.mark.parametrize("kind", SPOILED)
def test_what_dvc_cannot_read_is_named(root, kind, name):
    spoil, reason = SPOILED[kind]
    path = root / name
    if path.is_dir():
        path.rename(root / "aside")
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    spoil(path)
    with pytest.raises(
        UserError, match=rf"{name} cannot be read \({reason}\): put a readable file or folder in its place"
    ):
        refuse_unreadable_folders(root)


@pytest.mark.parametrize("kind", [*SPOILED, "a file"])
def test_the_root_is_a_folder(tmp_path, kind):
    spoil, reason = (SPOILED | {"a file": (lambda path: path.touch(), "it is a file")})[kind]
    spoil(tmp_path / "root")
    with pytest.raises(UserError, match=rf"root cannot be read \({reason}\): put a readable folder in its place"):
        refuse_unreadable_folders(tmp_path / "root")


def test_a_name_that_is_no_text_is_told_before_dvc_reads_it(root):
    (root / "ab" / os.fsdecode(b"\xff.txt")).touch()
    with pytest.raises(UserError, match=r"the name of .*ab/.udcff\.txt is no text in this locale: rename it"):
        refuse_unreadable_folders(root)


@pytest.mark.parametrize("name", ["ab/ab2.npy", "l/gray_scale.npy"])
def test_a_folder_is_no_array(root, name):
    (root / name).unlink()
    (root / name).mkdir()
    with pytest.raises(UserError, match=r"cannot be read \(it is a folder\)"):
        find_lightness_file(root), find_chroma_files(root)


def test_links_that_lead_somewhere_are_fine_also_in_circles(root):
    (root / "ab/ab2.npy").rename(root / "elsewhere.npy")
    (root / "ab/ab2.npy").symlink_to(root / "elsewhere.npy")
    (root / "ab/again").symlink_to(root / "ab")
    (root / "l").rename(root / "grey")
    (root / "l").symlink_to("grey")
    refuse_unreadable_folders(root)
    assert find_lightness_file(root).is_file()
    assert len(find_chroma_files(root)) == 3


def test_a_folder_that_is_missing_is_left_to_be_told(tmp_path):
    refuse_unreadable_folders(tmp_path)
    with pytest.raises(UserError, match="is missing: put the greyscale images there"):
        find_lightness_file(tmp_path)
