"""Where a training keeps its finished epochs until they are published, and finds them again after a kill.

    scratch/train-0123456789abcdef/     one folder per recipe, named by the fingerprint of all that decides the result
        facts.json                      what the fingerprint is of
        state-0007.safetensors          both networks and optimizers after epoch 7; the one before is kept as well
        checkpoints/, samples/          what will be published, a file per epoch
        decisions.json                  what was declared, and what was answered since
        published.json                  only after the outputs were put in place

Files are replaced at once and never written to again: what is published is a hard link to what lies here.
"""

import json
import logging
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from colorizer.core.digests import file_digest, fingerprint
from colorizer.core.files import atomic_write, write_text
from colorizer.epochs.decision import Decision
from colorizer.epochs.lock import held
from colorizer.networks.safetensors_file import DamagedFileError, read_tensors

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ResumePoint:
    """The newest epoch that training can resume from: its state file, and one row of history per epoch."""

    epoch: int
    state: Path
    history: list[dict[str, Any]]


class Scratch:
    """The folder of one training, which this process alone writes to while it is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints, self.samples = folder / "checkpoints", folder / "samples"
        self._digests: dict[str, str] = {}  # of what the newest state relies on

    def checkpoint(self, epoch: int) -> Path:
        return self.checkpoints / f"epoch-{epoch:04d}.safetensors"

    def sample(self, epoch: int) -> Path:
        return self.samples / f"epoch-{epoch:04d}.png"

    def state(self, epoch: int) -> Path:
        return self.folder / f"state-{epoch:04d}.safetensors"

    def clear(self) -> None:
        """Forget every epoch. States go first: without its state, no leftover can be mistaken for a finished epoch."""
        self._digests = {}
        (self.folder / "published.json").unlink(missing_ok=True)
        for path in (*self._states(), *self.checkpoints.glob("*"), *self.samples.glob("*")):
            path.unlink()
        (self.folder / "decisions.json").unlink(missing_ok=True)

    def checksums(self, epoch: int, checkpoints: Collection[int]) -> dict[str, str]:
        """Compute the SHA-256, by name, of every file that the state after `epoch` needs.

        These are the given checkpoints, and all sample sheets.
        """
        paths = [self.checkpoint(number) for number in sorted(checkpoints)]
        paths += [self.sample(number) for number in range(1, epoch + 1)]
        names = [path.relative_to(self.folder).as_posix() for path in paths]
        return {name: self._digests.get(name) or file_digest(self.folder / name) for name in names}

    def prune(self, epoch: int, files: dict[str, str]) -> None:
        """Delete the files that neither the state of `epoch` nor the one before needs.

        Call it after writing that state.
        """
        needed = {*files, *self._digests}
        for path in self._states():
            if path not in (self.state(epoch), self.state(epoch - 1)):
                path.unlink()
        for path in (*self.checkpoints.glob("*"), *self.samples.glob("*")):
            if path.relative_to(self.folder).as_posix() not in needed:
                path.unlink()
        self._digests = files

    def newest(self) -> ResumePoint | None:
        """Find the newest epoch whose state, checkpoints and sheets are all whole; warn of each that is not."""
        for path in self._states():
            try:
                _, metadata = read_tensors(path)
                for name, digest in metadata["files"].items():
                    if not (self.folder / name).is_file() or file_digest(self.folder / name) != digest:
                        raise DamagedFileError(f"{self.folder / name} is missing or damaged (another SHA-256)")
            except DamagedFileError as error:
                epoch = int(path.stem.removeprefix("state-"))
                logger.warning("%s: training cannot resume after epoch %d", error, epoch)
                continue
            self._digests = dict(metadata["files"])
            return ResumePoint(epoch=metadata["epoch"], state=path, history=metadata["history"])
        return None

    def _states(self) -> list[Path]:
        """Newest first."""
        return sorted(self.folder.glob("state-*.safetensors"), reverse=True)

    def answers(self, declared: Sequence[Decision], epoch: int) -> list[Decision] | None:
        """Return the answers that params.yaml lacks; None if the first `epoch` epochs were made with other decisions.

        A decision takes effect in the epochs after the one it is about: later ones may still be changed.
        """
        try:
            recorded = json.loads((self.folder / "decisions.json").read_text(encoding="utf-8"))
            before, since = ([Decision(**entry) for entry in recorded[name]] for name in ("declared", "answered"))
        except (OSError, ValueError, KeyError, TypeError):
            return None if epoch else []
        decided = {decision.epoch for decision in declared}
        open_answers = [decision for decision in since if decision.epoch not in decided]
        effective = [decision for decision in declared if decision.epoch < epoch]
        if effective == [decision for decision in before if decision.epoch < epoch]:
            return open_answers
        merged = sorted([*before, *since], key=lambda decision: decision.epoch)
        # Killed after the answers were declared, or before this was noted here.
        return open_answers if effective == [decision for decision in merged if decision.epoch < epoch] else None

    def record(self, declared: Sequence[Decision], answered: Sequence[Decision]) -> None:
        parts = {"declared": declared, "answered": answered}
        entries = {name: [asdict(decision) for decision in decisions] for name, decisions in parts.items()}
        write_text(self.folder / "decisions.json", json.dumps(entries, indent=1))

    def published(self) -> tuple[int, list[Path]]:
        """Return how many epochs were published, and from which files; 0 and no files if nothing was published."""
        with suppress(OSError, ValueError, KeyError):
            marker = json.loads((self.folder / "published.json").read_text(encoding="utf-8"))
            return int(marker["epochs"]), [self.folder / name for name in marker["files"]]
        return 0, []

    def mark_published(self, epochs: int, files: Iterable[Path]) -> None:
        """Record that the outputs are published, and delete all states but the newest.

        A longer training can resume from the newest state.
        """
        names = sorted(path.relative_to(self.folder).as_posix() for path in files)
        write_text(self.folder / "published.json", json.dumps({"epochs": epochs, "files": names}))
        for path in self._states()[1:]:
            path.unlink()


@contextmanager
def open_scratch(root: Path, facts: dict, *, started_by: psutil.Process | None) -> Iterator[Scratch]:
    """Open the folder of the training that `facts` decide, and hold it until the block ends: see `lock.held`."""
    folder = root / f"train-{fingerprint(facts)}"
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, started_by=started_by):
        for cut_off in folder.rglob(".*.partial*"):  # by a kill
            cut_off.unlink()
        write_text(folder / "facts.json", json.dumps(facts, indent=1))
        yield Scratch(folder)


def unfinished(root: Path) -> Iterator[tuple[Path, dict]]:
    """Folders of trainings that were begun and not published, with their facts; the latest first."""
    states = sorted(root.glob("train-*/state-*.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in dict.fromkeys(path.parent for path in states):
        if not (folder / "published.json").exists():
            with suppress(OSError, ValueError):
                yield folder, json.loads((folder / "facts.json").read_text(encoding="utf-8"))


def link_or_copy(source: Path, target: Path) -> None:
    """Put a file at `target` at once: by a hard link, which costs no disk, or else by a copy."""
    with atomic_write(target) as partial:
        try:
            partial.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, partial)
