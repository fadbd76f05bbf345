import sys
from pathlib import Path

from pipeline.process.children import Child

TALKATIVE = "import time\nfor number in range(20):\n    print(number, flush=True)\n    time.sleep(0.05)"


def test_a_child_that_never_falls_silent_is_looked_at_all_the_same():
    child = Child([sys.executable, "-c", TALKATIVE], folder=Path.cwd(), environment={})
    lines = list(child.lines(tick=0.2))
    assert child.wait() == 0
    told = [index for index, line in enumerate(lines) if line is not None]
    assert [lines[index] for index in told] == [str(number) for number in range(20)]
    assert None in lines[told[0] : told[-1]]
