"""Makes a model that colours photographs like others: with the colours of references where they show the same."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError, within_memory
from colorizer.core.hints import no_hints
from colorizer.core.lab import mean_chroma, rgb_to_codes
from colorizer.models.model import Model
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.photographs import Photograph
from colorizer.references.descriptors import CELL, SHORTER_SIDE, load_descriptors
from colorizer.references.voting import SCALES, References, Votes

_SHARP = 2  # pixels of a reference for each that is used, at least
_LEAST_CHROMA = 1.0  # mean of a*, b*: a photograph with less is grey
_HINTED = 0.5  # confidence from which on a vote is given to the model as a hint
_REACH = 1 / 8  # of the shorter side: so near a hint of the user, votes do not count


def model_like(model: Model, references: Sequence[Path], size: int) -> Model:
    """Make a model that colours like the reference photographs where they show the same as what it colours.

    size: the shorter side at which the model sees photographs. What the references vote goes to a model that takes
    hints as hints, one in each cell. Then the votes are blended into what the model predicts, by their confidence; so
    this works with every model. Hints that are given to the model's `predict` win over the votes around them. Raises
    UserError when a reference cannot be read or has no colours, and the errors of `load_descriptors`.
    """
    pictures = []
    for path in references:
        with within_memory("close other programs, or take smaller references", path):
            photograph = read_photograph(path, at_least=round(_SHARP * max(SCALES) * size))
            pictures.append(reference_codes(photograph, model, size))
        if mean_chroma(pictures[-1][0]) < _LEAST_CHROMA:
            raise UserError(f"{path} is grey: a photograph for --like has to be in colour")
    return voting_model(model, References.of(pictures, load_descriptors()))


def voting_model(model: Model, references: References) -> Model:
    """Make the model of `model_like` of references that are read already."""

    def predict(lightness: NDArray[np.uint8], *, hints: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        votes = [references.vote(codes) for codes in lightness]
        if hints is not None:
            votes = [_away_from(given, vote) for given, vote in zip(hints, votes, strict=True)]
        if model.info.takes_hints:
            planes = np.stack([vote_hints(vote) for vote in votes])
            known = planes if hints is None else np.where(hints[..., 2:] > 0, hints, planes)
            predicted = model.predict(lightness, hints=known)
        else:
            predicted = model.predict(lightness)
        blended = [
            one + vote.confidence[..., None] * (vote.chroma - one) for one, vote in zip(predicted, votes, strict=True)
        ]
        return np.stack(blended).astype(np.float32)

    return replace(model, predict=predict)


def vote_hints(votes: Votes) -> NDArray[np.uint8]:
    """Make the planes of hints (H, W, 3) of votes: the most confident place of each cell, if it is confident enough."""
    height, width = votes.confidence.shape
    side = max(1, round(CELL * min(height, width) / SHORTER_SIDE))
    planes = no_hints((height, width))
    for top in range(0, height, side):
        for left in range(0, width, side):
            cell = votes.confidence[top : top + side, left : left + side]
            row, column = divmod(int(cell.argmax()), cell.shape[1])
            if cell[row, column] >= _HINTED:
                place = top + row, left + column
                planes[place] = *np.rint(np.clip(votes.chroma[place], 0, 255)), 1
    return planes


def _away_from(hints: NDArray[np.uint8], votes: Votes) -> Votes:
    """Take the confidence from the votes around hints (H, W, 3)."""
    reach = round(min(votes.confidence.shape) * _REACH)
    around = cv2.dilate(hints[..., 2], np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return replace(votes, confidence=votes.confidence * (around == 0))


def reference_codes(photograph: Photograph, model: Model, size: int) -> list[NDArray[np.uint8]]:
    """Reduce a reference to codes (H, W, 3) at all SCALES, where 1 is `size`; L as the model gets it."""
    found = []
    for scale in SCALES:
        colorizer = Colorizer(model=model, size=round(scale * size))
        height, width = colorizer.shape(*photograph.size).inner
        small = np.asarray(cv2.resize(photograph.rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        codes = rgb_to_codes(small)
        codes[..., 0] = colorizer.network_input(photograph)[:height, :width]
        found.append(codes)
    return found
