"""Train, and be asked after every epoch: save this model? another learning rate? stop here?"""

import subprocess
import sys

from stages.params_file import write_params

if __name__ == "__main__":
    write_params({"train.ask": True})  # answers are recorded in train.decisions; empty that to be asked anew
    sys.exit(subprocess.call(["dvc", "repro", "train"]))
