"""Working ahead of the caller."""

from __future__ import annotations

import threading

import pytest

from jetcore.repository.ahead import work_ahead


def test_results_come_in_order():
    """Whichever is done first, results have the order of the items."""
    second_done = threading.Event()

    def work(item):
        if item == 0:
            second_done.wait()
        if item == 1:
            second_done.set()
        return item

    assert list(work_ahead(work, range(10))) == list(range(10))


def test_no_more_than_needed_is_done():
    """A caller that does not come back for more has not caused much work."""
    begun = []
    results = work_ahead(begun.append, range(1000))
    next(results)
    results.close()

    assert len(begun) <= 4


def test_an_error_comes_in_its_turn():
    """Results before it are given out, and nothing after it is begun."""
    begun = []

    def work(item):
        begun.append(item)
        return 10 // (3 - item)

    results = work_ahead(work, range(1000))

    assert [next(results) for _ in range(3)] == [3, 5, 10]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(begun) <= 6
    assert not any(thread.name.startswith("jetcore-ahead") for thread in threading.enumerate())
