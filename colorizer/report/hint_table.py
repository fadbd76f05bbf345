"""What hints bring, as a table and a sentence: the part `hints` of metrics.json, of models that take hints."""

_ROWS = (
    # heading, key, digits
    ("PSNR dB ↑", "psnr", 2),
    ("Levin et al.", "levin_psnr", 2),
    ("AB error ↓", "ab_error", 2),
    ("Levin et al.", "levin_ab_error", 2),
)


def hint_rows(scores: dict) -> list[list[str]]:
    """Format the scores with true hints: a row of the numbers of hints, then a row for each score of each method."""
    counts = [key for key in scores if key.isdecimal()]
    rows = [[heading, *(f"{scores[count][key]:.{digits}f}" for count in counts)] for heading, key, digits in _ROWS]
    return [["true hints", *counts], *rows]


def recoloring_lines(scores: dict) -> list[str]:
    """Say in a sentence, of one or two lines, how one hint of another hue than the truth's is followed."""
    recolored = scores["recoloured"]
    followed = (
        f"One hint of another hue: the colour of its object is {recolored['distance']:.1f} from the hint's in a*, b*, "
        f"and {recolored['distance_before']:.1f} without it"
    )
    if "far_change" not in recolored:
        return [f"{followed}."]
    return [
        f"{followed};",
        f"far away the colour moves by {recolored['far_change']:.0%} of what it moves in the object.",
    ]
