"""What a person decides after an epoch: keep its checkpoint? another learning rate? stop here?"""

import math
from collections.abc import Callable
from dataclasses import dataclass

_STOP = ("s", "stop", "stop here")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A decision about one finished epoch. `learning_rate` applies from the next epoch; None keeps the current one."""

    epoch: int
    save: bool = True
    learning_rate: float | None = None
    stop: bool = False


def prompt(
    epoch: int, learning_rate: float, *, is_last: bool, read: Callable[[], str], write: Callable[[str], None]
) -> Decision:
    """Ask in the terminal until the answers are valid; Enter saves the model and keeps the learning rate.

    `read` returns a line, `write` shows text.
    """
    while True:
        write("Save this model? [Y]es, no: " if is_last else "Save this model? [Y]es, no, stop here: ")
        answer = read().strip().lower()
        if answer in _STOP and not is_last:
            return Decision(epoch=epoch, stop=True)
        if answer in ("", "y", "yes", "n", "no"):
            save = not answer.startswith("n")
            break
        write("Answer with Enter or y, or n.\n" if is_last else "Answer with Enter or y, n, or s.\n")
    while not is_last:
        write(f"Learning rate? Enter keeps {learning_rate:g}, or a number, or s to stop here: ")
        answer = read().strip().lower()
        if answer in _STOP:
            return Decision(epoch=epoch, save=save, stop=True)
        if not answer:
            break
        try:
            rate = float(answer)
        except ValueError:
            rate = math.nan
        if rate > 0 and math.isfinite(rate):
            return Decision(epoch=epoch, save=save, learning_rate=rate)
        write("Answer with Enter, a number above 0 such as 0.0001, or s.\n")
    return Decision(epoch=epoch, save=save)
