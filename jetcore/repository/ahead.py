"""Working ahead: the next things are done in threads while the caller works with the last one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_THREADS = 2


def work_ahead(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Yield what *work* returns for each of *items*, in their order; two of them are worked on beside the caller.

    Never more than that is done in advance, so that memory is bounded. It pays where *work* waits, hashes or unpacks
    large pieces: all of that lets other threads go on. If the caller stops, nothing more is begun.
    """
    running: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(_THREADS, "jetcore-ahead") as threads:
        try:
            for item in items:
                running.append(threads.submit(work, item))
                if len(running) > _THREADS:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)
