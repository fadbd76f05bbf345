import json
import os
import subprocess
import sys

import pytest
import torch

from colorizer.core.errors import UserError
from colorizer.epochs.decision import Decision
from colorizer.epochs.scratch import Scratch, link_or_copy, open_scratch, unfinished
from colorizer.networks.safetensors_file import write_tensors

FIRST, SECOND, OTHER = (
    Decision(epoch=1, learning_rate=0.1),
    Decision(epoch=2, save=False),
    Decision(epoch=1, learning_rate=0.2),
)


def finish(scratch, epoch):
    """As the training stage does, with small files and `keep: all`."""
    write_tensors(scratch.checkpoint(epoch), {"weight": torch.full((3,), float(epoch))}, {"epoch": epoch})
    scratch.sample(epoch).parent.mkdir(exist_ok=True)
    scratch.sample(epoch).write_text(f"sheet {epoch}", encoding="utf-8")
    files = scratch.checksums(epoch, range(1, epoch + 1))
    history = [{"epoch": number} for number in range(1, epoch + 1)]
    write_tensors(scratch.state(epoch), {}, {"epoch": epoch, "history": history, "files": files})
    scratch.prune(epoch, files)


@pytest.fixture
def scratch(tmp_path):
    scratch = Scratch(tmp_path / "train-0")
    scratch.folder.mkdir()
    for epoch in (1, 2, 3):
        finish(scratch, epoch)
    return scratch


@pytest.fixture
def newest(scratch, caplog):
    """Find the newest epoch in the folder anew: its number, and the warnings."""

    def find():
        caplog.clear()
        point = Scratch(scratch.folder).newest()
        return point and point.epoch, " ".join(caplog.messages)

    return find


def test_the_newest_two_states_and_what_they_rely_on_are_kept(scratch, newest):
    assert newest() == (3, "")
    finish(scratch, 4)
    names = sorted(path.name for path in scratch.folder.iterdir())
    assert names == ["checkpoints", "samples", "state-0003.safetensors", "state-0004.safetensors"]
    assert len(list(scratch.checkpoints.iterdir())) == 4


@pytest.mark.parametrize(
    ("name", "epoch"),
    [("state-0003.safetensors", 2), ("checkpoints/epoch-0003.safetensors", 2), ("samples/epoch-0001.png", None)],
)
@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_damage_is_named_and_the_newest_whole_epoch_is_found(scratch, newest, name, epoch, damage):
    path = scratch.folder / name
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[:-1])
    found, warning = newest()
    if name.startswith("state") and damage == "gone":
        assert (found, warning) == (2, "")
    else:
        assert found == epoch
        assert str(path) in warning


def test_clearing_forgets_everything(scratch, newest):
    scratch.record([FIRST], [])
    scratch.mark_published(3, [scratch.checkpoint(1)])
    assert scratch.published() == (3, [scratch.checkpoint(1)])
    scratch.clear()
    assert newest() == (None, "")
    assert scratch.published() == (0, [])
    assert scratch.answers([], 0) == []


@pytest.mark.parametrize(
    ("declared", "answered", "now", "epoch", "expected"),
    [
        ([], [], [], 3, []),
        ([], [FIRST], [], 3, [FIRST]),  # killed before the answer was declared
        ([], [FIRST], [FIRST], 3, []),  # killed after
        ([FIRST], [SECOND], [FIRST], 3, [SECOND]),
        ([FIRST], [], [FIRST], 3, []),
        ([FIRST], [], [], 3, None),  # trained with a decision that is gone now
        ([FIRST], [], [OTHER], 3, None),
        ([], [], [FIRST], 3, None),
        ([FIRST], [], [OTHER], 1, []),  # it has taken no effect yet
        ([FIRST], [], [], 1, []),
        ([], [FIRST], [OTHER], 1, []),
        ([FIRST], [], [FIRST, SECOND], 2, []),
    ],
)
def test_only_decisions_that_took_effect_must_be_the_same(scratch, declared, answered, now, epoch, expected):
    scratch.record(declared, answered)
    assert scratch.answers(now, epoch) == expected


def test_lost_decisions_serve_no_epoch(scratch):
    assert scratch.answers([], 3) is None
    (scratch.folder / "decisions.json").write_text("{", encoding="utf-8")
    assert scratch.answers([], 3) is None


def test_one_process_at_a_time(tmp_path):
    """The owner is a real process; when it is gone so is its hold, and its name is not blamed for another's."""
    facts = {"params": {"width": 4}}
    script = (
        "import sys; from pathlib import Path; from colorizer.epochs.scratch import open_scratch\n"
        "with open_scratch(Path(sys.argv[1]), {'params': {'width': 4}}, started_by=None):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as owner:
        assert owner.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match=rf"process {owner.pid} is training this already.*\(kill {owner.pid}\)"),
            open_scratch(tmp_path, facts, started_by=None),
        ):
            pass
        with open_scratch(tmp_path, {"params": {"width": 8}}, started_by=None) as other:
            assert other.folder.parent == tmp_path
        owner.kill()
    with open_scratch(tmp_path, facts, started_by=None) as scratch:
        assert json.loads((scratch.folder / "owner.json").read_text(encoding="utf-8"))["process"] == os.getpid()


def test_what_a_kill_cut_off_is_cleared_away(tmp_path):
    for _ in range(2):
        with open_scratch(tmp_path, {}, started_by=None) as scratch:
            assert list(scratch.folder.rglob("*partial*")) == []
            scratch.checkpoints.mkdir(exist_ok=True)
            (scratch.checkpoints / ".epoch-0001.partial.safetensors").write_text("cut off", encoding="utf-8")
            (scratch.folder / ".state-0003.partial.safetensors").write_text("cut off", encoding="utf-8")


def test_unfinished_trainings_are_found_with_their_facts(tmp_path):
    for width in (4, 8):
        with open_scratch(tmp_path, {"params": {"width": width}}, started_by=None) as scratch:
            finish(scratch, 1)
    scratch.mark_published(1, [])
    assert [facts for _, facts in unfinished(tmp_path)] == [{"params": {"width": 4}}]


def test_files_are_placed_by_link_or_else_by_copy(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.write_text("content", encoding="utf-8")
    link_or_copy(source, tmp_path / "linked" / "file")
    assert (tmp_path / "linked" / "file").stat().st_ino == source.stat().st_ino
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.hardlink_to", lambda *_: (_ for _ in ()).throw(OSError("another file system")))
        link_or_copy(source, tmp_path / "copied")
    assert (tmp_path / "copied").read_text(encoding="utf-8") == "content"
    assert (tmp_path / "copied").stat().st_ino != source.stat().st_ino
