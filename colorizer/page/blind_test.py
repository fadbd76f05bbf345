"""A blind test of two contenders: a person compares their pictures side by side without knowing whose they are."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.core.lab import codes_to_rgb, grey_codes, mean_chroma, rgb_to_codes
from colorizer.core.store import open_store
from colorizer.page.votes import Choice, Vote, append_vote
from colorizer.photographs.photographs import Photograph, thumbnail

Photographs = Sequence[tuple[str, Callable[[], Photograph]]]  # names, and how to read each when its turn comes

_SMALLEST_SIDE, _LARGEST_SIDE = 384, 1024  # pixels: between these lies the longer side of what is judged
_LEAST_CHROMA = 2.0  # mean, a*, b* units: a photograph with less has no colours of its own
_DOUBLE_CLICK = 0.4  # seconds: nobody judges faster


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A way to colour photographs. `identity` stands for it in the table of votes, `name` is for people."""

    identity: str
    name: str
    paint: Callable[[Photograph], Photograph]


def _own_colors(photograph: Photograph) -> Photograph:
    if mean_chroma(rgb_to_codes(photograph.rgb)) < _LEAST_CHROMA:
        raise UserError("has no colours of its own")
    return photograph


ORIGINAL = Contender(identity="original", name="the original colours", paint=_own_colors)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One photograph to judge: sRGB (H, W, 3) uint8 each. `number` counts from 1."""

    number: int
    grey: NDArray[np.uint8]
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]


class BlindTest:
    """A test in rounds: photographs in random order, none twice, each with the contenders at random sides.

    Votes go into the table at `path`, and into `votes`; `shown` is the round that awaits one, if any. Raises UserError
    when both contenders are the same.
    """

    def __init__(
        self, first: Contender, second: Contender, photographs: Photographs, path: Path, rng: random.Random
    ) -> None:
        if first.identity == second.identity:
            raise UserError(f"{first.name} and {second.name} are the same: choose two that differ")
        self.first, self.second = first, second
        self.votes: list[Vote] = []
        self.shown: Round | None = None
        self._left_over = rng.sample(photographs, len(photographs))
        self._path, self._rng = path, rng
        self._num_shown = 0
        self._shown_at = 0.0
        self._sides = "", "", ""  # image, identities at the left and the right

    def next_round(self) -> Round | None:
        """Begin a round on another photograph, or return None after the last one.

        Raises UserError when the photograph cannot be shown; the next call takes another one.
        """
        self.shown = None
        if not self._left_over:
            return None
        image, read = self._left_over.pop()
        photograph = _made_small(read())
        left, right = self._rng.sample([self.first, self.second], 2)
        try:
            pictures = {"left": left.paint(photograph).rgb, "right": right.paint(photograph).rgb}
        except UserError as error:
            raise UserError(f"{image} {error}") from error
        pictures["grey"] = codes_to_rgb(grey_codes(rgb_to_codes(photograph.rgb)))
        self._num_shown += 1
        self._sides = image, left.identity, right.identity
        large = {name: _made_large(pixels) for name, pixels in pictures.items()}
        self.shown = Round(number=self._num_shown, **large)
        self._shown_at = time.monotonic()
        return self.shown

    def vote(self, number: int, chosen: Choice) -> bool:
        """Count a vote on the round of that number, once. Returns whether it counted.

        A vote does not count if the round is over, or began less than 0.4 s ago (a double click on the round before).
        Raises UserError if the vote cannot be saved; then it can be given again.
        """
        is_stale = self.shown is None or number != self.shown.number
        if is_stale or time.monotonic() - self._shown_at < _DOUBLE_CLICK:
            return False
        image, left, right = self._sides
        vote = Vote(image=image, left=left, right=right, chosen=chosen)
        append_vote(self._path, vote)
        self.votes.append(vote)
        self.shown = None
        return True


def held_out_photographs(folder: Path) -> Photographs:
    """List the test images of the data in `folder`; none when they are missing or of an earlier split of other data."""
    store_file, split_file = folder / "lab.npy", folder / "split" / "test.csv"
    if not (store_file.exists() and split_file.exists()):
        return []
    store, images = open_store(store_file), pd.read_csv(split_file)["image"]
    if images.max() >= len(store):
        return []
    return [(f"test image {image}", partial(_from_store, store, image)) for image in images]


def _from_store(store: NDArray[np.uint8], image: int) -> Photograph:
    return Photograph(pixels=codes_to_rgb(store[image]))


def _made_small(photograph: Photograph) -> Photograph:
    return Photograph(pixels=np.asarray(thumbnail(photograph, _LARGEST_SIDE)))


def _made_large(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = max(1, _SMALLEST_SIDE / max(height, width))
    size = round(width * scale), round(height * scale)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
