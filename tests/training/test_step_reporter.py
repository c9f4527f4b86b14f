"""Progress of a training: when the time left is stated, and what bounds it."""

from __future__ import annotations

import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.progress import Progress
from napari_virtualstain.training import FoldStarted, StepFinished, StepReporter, TrainingPrepared

PREPARED = TrainingPrepared(360, 0, 6, 2, {}, 10, "cpu", "float32", 32, {})


def step(number: int, seconds: float, steps: int = 360) -> StepFinished:
    return StepFinished(number, steps, 0.5, {}, 1e-4, seconds)


def reported(minutes: float | None, *events: object) -> list[Progress]:
    seen: list[Progress] = []
    reporter = StepReporter(seen.append, minutes)
    for event in (PREPARED, *events):
        reporter.follow(event)
    return seen


def test_no_time_is_stated_before_the_fifth_step() -> None:
    seen = reported(8.0, *(step(n, 41.0 + (n - 1)) for n in range(1, 6)))
    assert [p.remaining_s is None for p in seen] == [True, True, True, True, False]
    assert str(seen[0]) == "training: step 1/360"
    # a second a step; the 41 s of the first step, which loads and builds, do not count
    assert str(seen[4]) == "training: step 5/360, 1 s/step, 6 min left"


@pytest.mark.parametrize(
    ("minutes", "left_s"), [(None, 3550.0), (8.0, 480 - 91.0), (100.0, 3550.0)]
)
def test_no_more_is_left_than_the_minutes_given(minutes: float | None, left_s: float) -> None:
    seen = reported(minutes, *(step(n, 41.0 + 10 * n) for n in (0, 1, 2, 3, 4, 5)))
    assert seen[-1].remaining_s == pytest.approx(left_s)


def test_a_resumed_training_counts_the_time_that_it_has_used() -> None:
    seen = reported(8.0, *(step(n, 369.0 + n) for n in range(101, 106)))
    assert [p.remaining_s is None for p in seen] == [True] * 4 + [False]
    assert seen[-1].remaining_s == pytest.approx(480 - 474.0)
    assert seen[-1].done == 105


def test_folds_count_together_and_each_has_the_minutes() -> None:
    fold = FoldStarted(("a",), 2, 2)
    seen = reported(2.0, fold, PREPARED, *(step(n, 1.0 * n, 10) for n in range(1, 6)))
    assert (seen[-1].done, seen[-1].total) == (15, 30)
    assert seen[-1].remaining_s == pytest.approx(15.0)
    slow = reported(2.0, fold, PREPARED, *(step(n, 20.0 * n, 10) for n in range(1, 6)))
    assert slow[-1].remaining_s == pytest.approx(2 * 120.0 - 100.0)


def test_the_pace_of_one_fold_holds_for_the_first_steps_of_the_next() -> None:
    one = [step(n, 1.0 * n, 10) for n in range(1, 6)]
    first, second = FoldStarted(("a",), 1, 2), FoldStarted(("b",), 2, 2)
    seen = reported(None, first, *one, second, PREPARED, step(1, 41.0, 10))
    assert seen[-1].remaining_s == pytest.approx(19.0)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(InputError, match="progress is a str"):
        StepReporter("loud")  # type: ignore[arg-type]
