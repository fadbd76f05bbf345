"""Runs commands in forks of the test process: real processes that need not import slow modules again."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO


def run_forked(
    main: Callable[[], object], arguments: list[str], *, folder: Path, environment: Mapping[str, str], output: IO[str]
) -> int:
    """Call `main` in a child process as a command of these arguments, and return its exit code.

    What it prints goes to the file `output`, its standard input is empty.
    """
    child = os.fork()
    if not child:
        _become(main, arguments, folder, environment, output)
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    return os.waitstatus_to_exitcode(status)


def _become(
    main: Callable[[], object], arguments: list[str], folder: Path, environment: Mapping[str, str], output: IO[str]
) -> None:
    code: object = 1
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        streams = [open(number, mode, encoding="utf-8") for number, mode in enumerate("rww")]  # noqa: PTH123, SIM115
        sys.stdin, sys.stdout, sys.stderr = streams
        sys.argv = arguments
        signal.signal(signal.SIGINT, signal.default_int_handler)
        warnings.resetwarnings()  # they are errors where the tests run
        code = main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        if isinstance(code, str):
            print(code, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else code is not None)  # without what pytest does at its own end
