"""How every stage starts: check the params, run, and turn a user's mistake into one line."""

import gc
import logging
import sys
from collections.abc import Callable

from colorizer.core.errors import UserError, within_memory
from colorizer.core.files import explain_refusal
from settings.params import Params
from settings.params_file import read_params

logger = logging.getLogger(__name__)

_RELIEF = {
    "train": "lower train.batch_size, train.generator.width or train.discriminator.width in params.yaml",
    "evaluate": "lower evaluate.batch_size in params.yaml",
}


def run_stage(stage: Callable[[Params], None]) -> None:
    """Call `stage` with the checked params; a UserError is printed as one line and ends in exit code 1.

    What the project's modules log goes to standard error, a line each, after the name of the function `stage`.
    """
    gc.freeze()  # to search all that was imported for garbage, at the exit above all, would take half a second
    _log_to_standard_error(stage.__name__)
    try:
        with within_memory(_RELIEF.get(stage.__name__, "close other programs")):
            stage(read_params())
    except UserError as error:
        logger.error("%s", error)
        sys.exit(1)
    except OSError as error:
        if not explain_refusal(error):
            raise
        logger.error("%s", explain_refusal(error))
        sys.exit(1)
    except KeyboardInterrupt:
        logger.error("interrupted; `dvc repro` goes on from the last finished stage and the last finished epoch")
        sys.exit(130)  # not 0: DVC would take the stage for finished


def _log_to_standard_error(stage: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{stage}: %(message)s"))
    for package in ("colorizer", "settings", "stages"):
        logging.getLogger(package).addHandler(handler)
        logging.getLogger(package).setLevel(logging.INFO)
