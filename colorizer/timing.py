"""The log of clock times, rates and hosts: git-ignored, never a pipeline output."""

import csv
import platform
from datetime import datetime
from pathlib import Path

import torch


def log_epoch(path: Path, epoch: int, num_images: int, seconds: float, device: torch.device) -> None:
    """Append one line about an epoch that just ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["finished", "epoch", "seconds", "images_per_second", "device", "threads", "torch", "host"])
        finished = datetime.now().astimezone().isoformat(timespec="seconds")
        rate = f"{num_images / seconds:.2f}"
        threads, host = torch.get_num_threads(), platform.node()
        writer.writerow([finished, epoch, f"{seconds:.2f}", rate, device, threads, torch.__version__, host])
