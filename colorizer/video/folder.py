"""Reads a folder of photographs as the frames of a film."""

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from colorizer.core.errors import UserError
from colorizer.photographs.decoding import read_photograph
from colorizer.video.files import find_frames
from colorizer.video.plan import Frame, Plan, Segment, divide, guess_matrix


class FolderSource:
    """Photographs of one size as the frames of a film, in the order of their names."""

    def __init__(self, folder: Path, frames_per_second: Fraction, memory: int) -> None:
        """Find the frames. `memory` as in `divide`.

        Raises UserError when there are none, or the first one cannot be read.
        """
        self.paths = find_frames(folder)
        stamps = range(len(self.paths))
        digest = hashlib.sha256()
        for path in self.paths:
            about = path.stat()
            digest.update(f"{path.name}\0{about.st_size}\0{about.st_mtime_ns}\0".encode(errors="surrogateescape"))
        size = read_photograph(self.paths[0], deep=False).size
        self.plan = Plan(
            size=size,
            time_base=1 / frames_per_second,
            rate=frames_per_second,
            segments=divide(stamps, stamps, memory),
            fingerprint=digest.hexdigest()[:32],
            matrix=guess_matrix(*size),
        )

    def frames(self, segment: Segment) -> Iterator[Frame]:
        """Decode the frames; raises UserError for one that cannot be read or has another size."""
        for number in range(segment.lead, segment.start + segment.num_frames):
            path = self.paths[number]
            photograph = read_photograph(path, deep=False)
            if photograph.size != self.plan.size:
                (height, width), (found_height, found_width) = self.plan.size, photograph.size
                raise UserError(
                    f"{path} has {found_width} x {found_height} px and {self.paths[0].name} {width} x {height}: "
                    "the frames of a film have one size"
                )
            yield Frame(number, np.ascontiguousarray(photograph.rgb), is_lead=number < segment.start)

    def num_damaged(self, segment: Segment) -> int:
        """Return 0: `frames` raises an error instead."""
        return 0
