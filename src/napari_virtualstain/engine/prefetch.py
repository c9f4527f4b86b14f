"""Ordered look-ahead over a thread pool with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def look_ahead(
    make: Callable[[Given], Made], items: Iterable[Given], threads: int
) -> Iterator[Made]:
    """Yield what is made of each item, in order, while the next ones are being made.

    Parameters
    ----------
    make : callable
        Called in threads of its own.
    items : iterable
        Taken one by one, by the thread that takes the results.
    threads : int
        As many items are being made while a result is used. With 0 the thread that takes the
        results makes them too.

    Examples
    --------
    >>> list(look_ahead(str.upper, "abc", 2))
    ['A', 'B', 'C']
    """
    if not threads:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(threads, "stain") as pool:
        running: deque[Future[Made]] = deque()
        for item in items:
            running.append(pool.submit(make, item))
            if len(running) > threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
