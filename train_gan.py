"""Train, and be asked after every epoch: save this model? another learning rate? stop here?

Asking is a param, not an environment variable, because DVC runs a stage again only when something declared changes.
"""

import os
import sys

from colorizer.core.errors import UserError
from colorizer.models.commands import PROGRAMS
from colorizer.models.environment import child_environment
from settings.params_file import write_params

if __name__ == "__main__":
    try:
        write_params({"train.ask": True})  # answers are recorded in train.decisions; empty that to be asked anew
    except UserError as error:
        sys.exit(f"train_gan: {error}")
    os.execve(PROGRAMS["dvc"][0], [*PROGRAMS["dvc"], "repro", "train"], child_environment())
