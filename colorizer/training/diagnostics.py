"""Detects signs of a failing training in the losses and scores of an epoch."""

import math
from collections.abc import Mapping

# A discriminator that gives the right verdict the probability p, on truth and output alike, has the loss -2 log p.
_GUESSING = -2 * math.log(0.5)  # 1.39
_LOST = -2 * math.log(0.505)  # 1.37: no better than guessing, but for rounding and noise
_EXPLODED = 2 * _GUESSING  # worse than guessing by far: the steps are too large
_WON = -2 * math.log(0.9)  # 0.21: a healthy one has 1.1 to 1.3; the textbook recipe falls from 0.37 to 0.05
_DULL = 0.5  # colourfulness gap; on the built-in sample 0.37 to 0.42 with L1 alone, 0.593 with the mean colour
# Share of the way from the truth's tint to 1, that of one hue alone. On the validation images of the built-in sample,
# whose truth has the tint 0.69, it is 0.06 to 0.23 in epochs with the discriminator (tint 0.71 to 0.76), 0.11 to 0.44
# with L1 alone from epoch 2 on (0.72 to 0.83), and 0.81 in epoch 1 (0.94), which is brown. Brown as strong as the truth
# with noise of sigma 10 has 0.80 to 0.88, a tint + 0.4 x truth 0.82 and more.
_ONE_HUE = 0.5


def diagnose(losses: Mapping[str, float], scores: Mapping[str, float], truth: Mapping[str, float]) -> list[str]:
    """Return a sentence for each symptom, with its numbers and advice; an empty list for a healthy epoch.

    `losses` are means over the epoch, without `discriminator_loss` for one of L1 alone. `scores` of
    the output and those of the `truth` are from `Evaluation.summary`. A brown output may be as colourful as the truth:
    its tint tells.
    """
    found = []
    colourfulness, true_colourfulness = scores["colourfulness"], truth["colourfulness"]
    tint, true_tint = scores["tint"], truth["tint"]
    if colourfulness < true_colourfulness and scores["colourfulness_gap"] > _DULL:
        found.append(
            f"the output is dull, grey or brown: colourfulness {colourfulness:.1f}, truth {true_colourfulness:.1f} "
            "(lower train.l1_weight, or train more epochs with the discriminator)"
        )
    elif tint > true_tint + _ONE_HUE * (1 - true_tint):
        found.append(
            f"the output has nearly one hue, such as brown: tint {tint:.2f}, truth {true_tint:.2f} "
            "(lower train.l1_weight, or train more epochs with the discriminator)"
        )
    loss_d = losses.get("discriminator_loss")
    if loss_d is not None and loss_d < _WON:
        found.append(
            f"the discriminator has won: its loss is {loss_d:.2f}, so the generator learns little from it "
            "(lower train.discriminator.width, set train.discriminator.output to patch, or raise "
            "train.l1_pretrain_epochs)"
        )
    if loss_d is not None and loss_d > _EXPLODED:
        found.append(
            f"the losses have exploded: that of the discriminator is {loss_d:.2f}, guessing costs {_GUESSING:.2f} "
            "(lower train.learning_rate, or train.start_learning_rate, if it is set, when fine-tuning)"
        )
    elif loss_d is not None and loss_d > _LOST:
        found.append(
            f"the discriminator is no better than guessing: its loss is {loss_d:.2f}, guessing costs {_GUESSING:.2f}, "
            "so it teaches nothing (if this lasts, raise train.discriminator.width)"
        )
    return found
