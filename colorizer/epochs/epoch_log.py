"""The log of clock times, rates and hosts: git-ignored, never a pipeline output."""

import csv
import platform
from datetime import datetime
from pathlib import Path


def log_epoch(path: Path, figures: dict[str, object]) -> None:
    """Append one line about an epoch that just ended: when, where, and these figures.

    A log that began with other figures is set aside as *.old.csv.
    """
    row = {"finished": datetime.now().astimezone().isoformat(timespec="seconds"), **figures, "host": platform.node()}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            if next(csv.reader(file), None) != list(row):
                path.replace(path.with_suffix(".old.csv"))
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(row)
        writer.writerow(row.values())
