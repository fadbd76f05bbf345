"""What the log of a training costs, as a share of its epochs: writes again what a finished training has logged.

    dvc repro train && python -m benchmarks.epoch_log scratch/train-<fingerprint>

An epoch takes the time from one sample sheet to the next. The log takes processor time, which other programs do not
lengthen as much; that of the first epoch includes the imports.
"""

import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from colorizer.epochs.epoch_log import EpochLog
from colorizer.epochs.scratch import Scratch


def main() -> None:
    scratch = Scratch(Path(sys.argv[1]))
    facts = json.loads((scratch.folder / "facts.json").read_text(encoding="utf-8"))
    point = scratch.newest()
    assert point, f"{scratch.folder} has no finished epoch"
    ended = [scratch.sample(row["epoch"]).stat().st_mtime for row in point.history]
    epoch = statistics.median(later - earlier for earlier, later in itertools.pairwise(ended))
    seconds = []
    with tempfile.TemporaryDirectory(prefix="epoch-log.") as folder:
        log = EpochLog(Path(folder), scratch, facts["params"])
        for epochs in range(1, point.epoch + 1):
            started = time.process_time()
            log.add(point.history[:epochs], {"seconds": 0.0} | facts["environment"])
            seconds.append(time.process_time() - started)
    size = statistics.median(scratch.sample(row["epoch"]).stat().st_size for row in point.history)
    print(f"{point.epoch} epochs of {epoch:.2f} s, median; sheets of {size / 1000:.0f} kB")
    first, other = (1000 * part for part in (seconds[0], statistics.median(seconds[1:])))
    print(f"log of the first epoch: {first:.1f} ms of processor time; of another: {other:.1f} ms")
    print(f"share of the training: {sum(seconds) / (epoch * point.epoch):.2%}")


if __name__ == "__main__":
    main()
