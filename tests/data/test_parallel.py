import _thread
import itertools
import signal
import threading
import time
from contextlib import closing

import cv2
import pytest

from colorizer.data.parallel import ordered_map


def test_results_come_in_order_whoever_is_first():
    def slow_when_even(item):
        time.sleep(0.002 * (item % 2 == 0))
        return item

    assert list(ordered_map(slow_when_even, range(20), threads=4)) == list(range(20))


def test_few_items_are_in_flight():
    taken = itertools.count()
    with closing(ordered_map(abs, taken, threads=3)) as results:
        next(results)
        assert next(taken) == 6


def test_an_exception_comes_in_its_turn_and_ends_the_work():
    begun, before = [], threading.active_count()

    def fail_at_three(item):
        begun.append(item)
        if item == 3:
            raise ValueError("three")
        return item

    done = []
    with pytest.raises(ValueError, match="three"):
        done.extend(ordered_map(fail_at_three, itertools.count(), threads=2))
    assert max(begun) <= 3 + 4
    assert threading.active_count() <= before


@pytest.fixture
def python_handles_interrupts():
    """As in a new process: launching torch's distributed training in this one leaves torch's own handler behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handles_interrupts")
def test_an_interrupt_ends_the_work():
    begun, before = [], threading.active_count()

    def interrupt_at_three(item):
        begun.append(item)
        if item == 3:
            _thread.interrupt_main()
        time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        for _ in ordered_map(interrupt_at_three, itertools.count(), threads=2):
            pass
    assert len(begun) < 20
    assert threading.active_count() <= before


def test_opencv_uses_no_threads_of_its_own():
    cv2.setNumThreads(2)
    assert set(ordered_map(lambda _: cv2.getNumThreads(), range(5), threads=2)) == {1}
