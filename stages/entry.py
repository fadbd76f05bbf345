"""How every stage starts: check the params, run, and turn a user's mistake into one line."""

import sys
from collections.abc import Callable

from colorizer.errors import UserError
from stages.params import Params, read_params


def run_stage(stage: Callable[[Params], None]) -> None:
    """Call `stage` with the checked params; a UserError is printed as one line and ends in exit code 1."""
    try:
        stage(read_params())
    except UserError as error:
        print(f"{stage.__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{stage.__name__}: interrupted; the next `dvc repro` starts this stage anew", file=sys.stderr)
        sys.exit(130)  # not 0: DVC would take the stage for finished
