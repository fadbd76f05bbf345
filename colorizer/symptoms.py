"""What can be told from an epoch's losses and scores when its training goes wrong."""

import math
from collections.abc import Mapping

# A discriminator that gives the right verdict the probability p, on truth and output alike, has the loss -2 log p.
_GUESSING = -2 * math.log(0.5)  # 1.39
_LOST = -2 * math.log(0.505)  # 1.37: no better than guessing, but for rounding and noise
_WON = -2 * math.log(0.9)  # 0.21: a healthy one has 1.1 to 1.3; the textbook recipe falls from 0.37 to 0.05
_DULL = 0.5  # colourfulness gap; with L1 alone it is 0.4 on the built-in sample, with one mean colour 0.6 and more
_ONE_TINT = 0.75  # AB histogram distance; one colour has 0.83 and more however strong, L1 alone has 0.5 at most


def symptoms(losses: Mapping[str, float], scores: Mapping[str, float], true_colourfulness: float) -> list[str]:
    """A sentence about each symptom, with its numbers and advice; none for a healthy epoch.

    `losses` are means over the epoch, without `discriminator_loss` for one of L1 alone. `scores` are those of
    `Evaluation.summary`. A brown output may be as colourful as the truth: the histogram tells that it has one tint.
    """
    found = []
    colourfulness, distance = scores["colourfulness"], scores["histogram_distance"]
    if colourfulness < true_colourfulness and scores["colourfulness_gap"] > _DULL:
        found.append(
            f"the output is dull, grey or brown: colourfulness {colourfulness:.1f}, truth {true_colourfulness:.1f} "
            "(lower train.l1_weight, or train more epochs with the discriminator)"
        )
    elif distance > _ONE_TINT:
        found.append(
            f"the output has the wrong colours or a single tint, such as brown: AB histogram distance {distance:.2f} "
            "(lower train.l1_weight, or train more epochs with the discriminator)"
        )
    judged = losses.get("discriminator_loss")
    if judged is not None and judged < _WON:
        found.append(
            f"the discriminator has won: its loss is {judged:.2f}, so the generator learns little from it "
            "(lower train.discriminator.width, set train.discriminator.judges to patches, or raise train.l1_epochs)"
        )
    if judged is not None and judged > _LOST:
        found.append(
            f"the discriminator has lost: its loss is {judged:.2f}, that of guessing {_GUESSING:.2f}, so it teaches "
            "nothing (raise train.discriminator.width)"
        )
    return found
