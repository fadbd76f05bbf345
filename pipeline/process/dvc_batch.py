"""Run several DVC commands in one process, one after the other, because DVC takes half a second to start.

    python dvc_batch.py '[["status", "--json"], ["dag", "--dot"]]'

Exits with 0, or with the code of the first command that fails; those after it are not run.
"""

import json
import sys

from dvc.cli import main

for arguments in json.loads(sys.argv[1]):
    if code := main(arguments):
        sys.exit(code)
