"""Kill the sample's training 20 times, let `dvc repro` go on each time, and compare with an undisturbed run.

    python -m benchmarks.kill_training

Works on two temporary clones of the last commit; takes about ten minutes on two cores. Every kill is a SIGKILL to dvc
and the training together. What a kill hit is read off the disk afterwards: a partial file is a cut write, outputs
without the mark that publishing is over are a cut publishing.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from colorizer.core.digests import file_digest

DVC = Path(sys.executable).with_name("dvc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill_training.") as temporary:
        undisturbed, killed = (clone(Path(temporary, name)) for name in ("undisturbed", "killed"))
        began = time.monotonic()
        start(undisturbed).wait()
        print(f"undisturbed: {time.monotonic() - began:.0f} s", flush=True)
        subprocess.run([DVC, "repro", "--quiet", "normalize", "split"], cwd=killed, check=True)
        tally = Counter(kill_all(killed, options.kills, random.Random(options.seed)))
        print(", ".join(f"{count} {where}" for where, count in sorted(tally.items())))
        same = compare(undisturbed, killed)
    sys.exit(0 if same else "the killed run ended with other bytes")


def clone(folder: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", "--local", Path(__file__).parent.parent, folder], check=True)
    return folder


def kill_all(folder: Path, kills: int, generator: random.Random) -> list[str]:
    """Kill as often as asked: in the middle of writes, at random moments, and at last while publishing."""
    plan = [*["checkpoint"] * 2, *["state"] * 3, *["random"] * max(0, kills - 9)]
    generator.shuffle(plan)
    plan += ["publishing"] * (kills - len(plan))
    hits: list[str] = []
    while plan:
        where, trace = kill_once(folder, plan[0], seconds=generator.uniform(0, 20))
        hits.append(where)
        print(f"kill {len(hits):2}: {where}: {trace}", flush=True)
        if plan[0] in ("random", where):
            plan.pop(0)
    start(folder).wait()
    return hits


def kill_once(folder: Path, moment: str, *, seconds: float) -> tuple[str, str]:
    """Train; kill in a write of a `checkpoint` or `state`, while `publishing`, or at `random` after these seconds."""
    process = start(folder)
    wait_for(process, lambda: is_training(folder, process))
    until = time.monotonic() + seconds
    moments = {
        "checkpoint": lambda: "checkpoint" in partial_files(folder),
        "state": lambda: "state" in partial_files(folder),
        "publishing": lambda: is_publishing(folder) and len(placed(folder)) >= seconds,  # up to 20 of 32 files
        "random": lambda: time.monotonic() > until,
    }
    if not kill_when(process, moments[moment]):
        sys.exit("training ended before it was killed")
    return what_was_cut(folder)


def start(folder: Path) -> subprocess.Popen:
    """`dvc repro train` in a process group of its own."""
    return subprocess.Popen([DVC, "repro", "--quiet", "train"], cwd=folder, start_new_session=True)


def wait_for(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    while process.poll() is None and not condition():
        time.sleep(0.0005)


def kill_when(process: subprocess.Popen, condition: Callable[[], bool]) -> bool:
    """Kill dvc and what it started while `condition` holds; False when they ended first.

    They are stopped before it is looked at again, so that it holds when they are killed.
    """
    while True:
        wait_for(process, condition)
        if process.poll() is not None:
            return False
        os.killpg(process.pid, signal.SIGSTOP)
        if condition():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        os.killpg(process.pid, signal.SIGCONT)


def is_training(folder: Path, process: subprocess.Popen) -> bool:
    """Whether this process's training holds its scratch folder."""
    return any(
        f'"started_by": {process.pid}}}' in path.read_text(encoding="utf-8")
        for path in folder.glob("scratch/*/owner.json")
    )


def latest(folder: Path) -> Path:
    """The scratch folder of the training that began last."""
    return max(folder.glob("scratch/*/owner.json"), key=lambda path: path.stat().st_mtime).parent


def is_publishing(folder: Path) -> bool:
    """Whether outputs are being put in place: DVC removed those of the run before."""
    return (folder / "models/checkpoints").exists() and not (latest(folder) / "published.json").exists()


def placed(folder: Path) -> list[Path]:
    """Outputs of single epochs that are in place."""
    return [path for name in ("models", "reports/samples") for path in (folder / name).rglob("epoch-*")]


def partial_files(folder: Path) -> dict[str, Path]:
    """Files that are being written, or were when the training was killed: a `checkpoint`, a `state`."""
    paths = [*folder.glob("scratch/*/.state-*.partial.*"), *folder.glob("scratch/*/checkpoints/.epoch-*.partial.*")]
    return {"state" if path.name.startswith(".state") else "checkpoint": path for path in paths}


def what_was_cut(folder: Path) -> tuple[str, str]:
    """What a kill hit, by what lies on the disk after it: its kind, and the evidence."""
    states = sorted(latest(folder).glob("state-*.safetensors"))
    kept = f"newest whole state {states[-1].name if states else 'none'}"
    for kind, path in partial_files(folder).items():
        return kind, f"{path.name}, {path.stat().st_size:,} bytes; {kept}"
    if is_publishing(folder):
        return "publishing", f"{len(placed(folder))} epoch files in place; {kept}"
    return "training", kept


def compare(first: Path, second: Path) -> bool:
    """Print the hashes of all that training leaves behind in both folders."""
    names = sorted(
        path.relative_to(first).as_posix()
        for pattern in ("models/**/*", "reports/history.csv", "reports/samples/*", "scratch/*/state-*")
        for path in first.glob(pattern)
        if path.is_file()
    )
    different = [
        name
        for name in names
        if not (second / name).is_file() or file_digest(first / name) != file_digest(second / name)
    ]
    print(f"{len(names)} files compared (model, checkpoints, history, sheets, state of networks and optimizers)")
    for name in different:
        print(f"different: {name}")
    print("byte-identical" if not different else "NOT identical")
    return not different


if __name__ == "__main__":
    main()
