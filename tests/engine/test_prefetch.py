from __future__ import annotations

import threading

import pytest

from napari_virtualstain.engine.prefetch import look_ahead


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_order_whoever_is_first(threads: int) -> None:
    last = threading.Event()

    def make(item: int) -> int:
        if item == 0 and threads > 1:
            assert last.wait(10)  # the second is finished before the first
        if item == 1:
            last.set()
        return -item

    assert list(look_ahead(make, range(9), threads)) == [-item for item in range(9)]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_little_is_held_at_once(threads: int) -> None:
    taken: list[int] = []
    results = look_ahead(lambda item: item, (taken.append(i) or i for i in range(20)), threads)
    for used in range(10):
        assert next(results) == used
        assert len(taken) == used + 1 + threads


def test_a_failure_comes_at_its_place() -> None:
    def make(item: int) -> float:
        return 1 / (item - 2)

    results = look_ahead(make, range(5), 2)
    assert [next(results), next(results)] == [-0.5, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
