"""Kill the sample's training 20 times, let `dvc repro` go on each time, and compare with an undisturbed run.

    .venv/bin/python -m benchmarks.kill_training

Works on two temporary clones of the last commit; takes about ten minutes on two cores. Every kill is a SIGKILL to dvc and
the training together. What a kill hit is read off the disk afterwards: a partial file is a cut write, outputs without the
mark that publishing is over are a cut publishing.
"""

import argparse
import hashlib
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

DVC = Path(sys.executable).with_name("dvc")
PUBLISHED = ("models/checkpoints", "models/generator.safetensors", "reports/history.csv", "reports/samples")


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
    plan = ["write", "write", *["random"] * max(0, kills - 8), "write", "write"]
    generator.shuffle(plan)
    plan += ["publishing"] * (kills - len(plan))
    hits, number = [], 0
    while plan:
        seconds = generator.uniform(0, 20)
        moments = {"write": is_writing, "publishing": is_publishing, "random": lambda _: time.monotonic() > until}
        process = start(folder)
        wait_for(process, lambda: is_training(folder, process))
        until = time.monotonic() + seconds
        wait_for(process, lambda: moments[plan[0]](folder))
        if not kill(process):
            raise SystemExit("training ended before it was killed: ask for fewer kills")
        number += 1
        where, trace = what_was_cut(folder)
        print(f"kill {number:2}: {where}: {trace}", flush=True)
        hits.append(where)
        if plan[0] in ("random", where):
            plan.pop(0)
    start(folder).wait()
    return hits


def start(folder: Path, *command: str, **environment: str) -> subprocess.Popen:
    """`dvc repro train` in a process group of its own."""
    return subprocess.Popen(
        [DVC, *(command or ("repro", "--quiet", "train"))],
        cwd=folder,
        env=os.environ | environment,
        start_new_session=True,
    )


def wait_for(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    while process.poll() is None and not condition():
        time.sleep(0.0005)


def kill(process: subprocess.Popen) -> bool:
    """Kill dvc and what it started at once; False when it had ended before."""
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def is_training(folder: Path, process: subprocess.Popen) -> bool:
    """Whether this process's training holds its scratch folder."""
    return any(f'"parent": {process.pid}' in path.read_text() for path in folder.glob("scratch/*/owner.json"))


def is_writing(folder: Path) -> bool:
    return any(path.stat().st_size for path in partial_files(folder))


def is_publishing(folder: Path) -> bool:
    return (folder / "models/generator.safetensors").exists()


def partial_files(folder: Path) -> list[Path]:
    return [
        *folder.glob("scratch/*/.*.partial.safetensors"),
        *folder.glob("scratch/*/checkpoints/.*.partial.safetensors"),
    ]


def what_was_cut(folder: Path) -> tuple[str, str]:
    """What a kill hit, by what lies on the disk after it: its kind, and the evidence."""
    states = sorted(folder.glob("scratch/*/state-*.safetensors"))
    kept = f"newest whole state {states[-1].name if states else 'none'}"
    placed = [path for name in PUBLISHED for path in (folder / name).glob("**/*") if path.is_file()]
    if partial := partial_files(folder):
        return "write", f"{partial[0].name}, {partial[0].stat().st_size:,} bytes; {kept}"
    if is_publishing(folder) and not any(folder.glob("scratch/*/published.json")):
        return "publishing", f"{len(placed)} files in place, no mark; {kept}"
    return "between" if not states or is_publishing(folder) else "training", kept


def compare(first: Path, second: Path) -> bool:
    """Print the hashes of all that training leaves behind in both folders."""
    names = sorted(
        path.relative_to(first).as_posix()
        for pattern in ("models/**/*", "reports/history.csv", "reports/samples/*", "scratch/*/state-*")
        for path in first.glob(pattern)
        if path.is_file()
    )
    different = [
        name for name in names if not (second / name).is_file() or digest(first / name) != digest(second / name)
    ]
    print(f"{len(names)} files compared (model, checkpoints, history, sheets, state of networks and optimizers)")
    for name in different:
        print(f"different: {name}")
    print("byte-identical" if not different else "NOT identical")
    return not different


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
