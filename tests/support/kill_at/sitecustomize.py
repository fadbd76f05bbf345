"""Kill the process group, as `kill -9` does, just before a process opens, renames or links a certain file.

Python imports this by itself when this folder is on PYTHONPATH. KILL_AT names one of Python's audit events and a part
of the file's path, such as `os.rename .state-0003`. What waits and looks from outside can miss a moment this short.
"""

import os
import signal
import sys

_EVENT, _PART = os.environ["KILL_AT"].split(" ", 1)


def _kill(event: str, arguments: tuple) -> None:
    if event == _EVENT and _PART in str(arguments[0]):
        os.killpg(0, signal.SIGKILL)


sys.addaudithook(_kill)
