"""What Prefect costs when there is nothing to do: rebuilding under it beside bare `dvc repro`.

    python -m benchmarks.prefect_overhead

Works on a temporary clone of the last commit, with a training of one epoch; takes about four minutes on two cores.
Every round runs all the ways in turn; what counts is the difference to `dvc repro`.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.kill_training import DVC, clone

PIPELINE = (sys.executable, "-m", "pipeline")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prefect_overhead.") as temporary:
        workspace, home = clone(Path(temporary, "workspace")), Path(temporary, "home")
        seconds(
            workspace, *PIPELINE, "rebuild", "--set", "train.epochs=1", "--set", "train.l1_pretrain_epochs=1", home=home
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{probe.getsockname()[1]}/api"
        server = start_server(workspace, Path(temporary, "server"), url)
        try:
            rounds = [measure(workspace, home, Path(temporary, f"new-{i}"), url) for i in range(options.rounds)]
        finally:
            server.terminate()
            server.wait()
    bare = statistics.median(taken["dvc repro"] for taken in rounds)
    print("| nothing to do | seconds, median | more than dvc repro |\n|---|---:|---:|")
    for way in rounds[0]:
        median = statistics.median(taken[way] for taken in rounds)
        print(f"| {way} | {median:.1f} | {median - bare:.1f} |")


def measure(workspace: Path, home: Path, new_home: Path, url: str) -> dict[str, float]:
    rebuild = (*PIPELINE, "rebuild")
    return {
        "dvc repro": seconds(workspace, DVC, "repro", home=home),
        "rebuild, with a server": seconds(workspace, *rebuild, home=home, PREFECT_API_URL=url),
        "rebuild, with a temporary server": seconds(workspace, *rebuild, home=home),
        "the same, its very first start": seconds(workspace, *rebuild, home=new_home),
    }


def seconds(workspace: Path, *command: str | Path, home: Path, **settings: str) -> float:
    started = time.monotonic()
    subprocess.run(
        command,
        cwd=workspace,
        env=os.environ | {"PREFECT_HOME": str(home)} | settings,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - started


def start_server(workspace: Path, home: Path, url: str) -> subprocess.Popen:
    """One that answers, and carries out deployments."""
    settings = {"PREFECT_HOME": str(home), "PREFECT_API_URL": url}
    server = subprocess.Popen(
        [*PIPELINE, "serve"],
        cwd=workspace,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert server.stdout is not None
    for line in server.stdout:
        if "being served" in line:
            return server
    raise AssertionError("the server did not start")


if __name__ == "__main__":
    main()
