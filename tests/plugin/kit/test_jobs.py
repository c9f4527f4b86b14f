from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.plugin.kit import jobs
from napari_virtualstain.plugin.kit.jobs import JobContext, JobRunner, JobState, Outcome, perform
from napari_virtualstain.progress import Progress, Reporter


@pytest.fixture
def runner(qtbot: Any) -> Iterator[JobRunner]:
    made = JobRunner()
    yield made
    made.abandon()


def _ended(qtbot: Any, runner: JobRunner) -> None:
    qtbot.waitUntil(lambda: not runner.state.is_active, timeout=5000)


def test_a_function_returns_its_value(qtbot: Any, runner: JobRunner) -> None:
    outcomes, states = [], []
    runner.conclude = lambda outcome: outcomes.append(outcome) or outcome
    runner.state_changed.connect(states.append)
    runner.start(lambda context: 42)
    _ended(qtbot, runner)
    assert [o.value for o in outcomes] == [42]
    assert states == [JobState.RUNNING, JobState.DONE]


def test_the_work_runs_in_another_thread_and_the_results_arrive_in_this_one(
    qtbot: Any, runner: JobRunner
) -> None:
    seen: list[Any] = []

    def work(context: JobContext) -> Iterator[int]:
        for _ in range(3):
            yield threading.get_ident()

    runner.produced.connect(
        lambda items: seen.extend((item, threading.get_ident()) for item in items)
    )
    runner.start(work)
    _ended(qtbot, runner)
    assert len(seen) == 3
    assert all(there != here == threading.get_ident() for there, here in seen)


@pytest.mark.parametrize("as_generator", [True, False])
@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), ValueError("shapes")])
def test_no_error_is_lost(
    qtbot: Any, runner: JobRunner, as_generator: bool, error: Exception
) -> None:
    """superqt drops a RuntimeError of a generator worker: no signal, running for ever."""

    def generator(context: JobContext) -> Iterator[int]:
        yield 1
        raise error

    def function(context: JobContext) -> int:
        raise error

    outcomes = []
    runner.conclude = lambda outcome: outcomes.append(outcome) or outcome
    with qtbot.captureExceptions():
        runner.start(generator if as_generator else function)
        _ended(qtbot, runner)
    assert runner.state is JobState.FAILED
    assert outcomes[0].error is error


def test_cancelling_stops_the_job_and_closes_the_generator(qtbot: Any, runner: JobRunner) -> None:
    closed = threading.Event()

    def work(context: JobContext) -> Iterator[int]:
        reporter = Reporter(10_000, "tile", "staining", context.progress, context.cancel)
        try:
            while True:
                time.sleep(0.01)
                reporter.advance()
                yield reporter.done
        finally:
            closed.set()

    runner.start(work)
    qtbot.wait(150)
    runner.cancel()
    assert runner.state is JobState.CANCELLING
    _ended(qtbot, runner)
    assert runner.state is JobState.IDLE
    assert closed.is_set()


def test_a_generator_that_never_looks_at_the_token_is_stopped_between_items(
    qtbot: Any, runner: JobRunner
) -> None:
    def work(context: JobContext) -> Iterator[int]:
        while True:
            time.sleep(0.01)
            yield 0

    runner.start(work)
    qtbot.wait(50)
    runner.cancel()
    _ended(qtbot, runner)
    assert runner.state is JobState.IDLE


def test_progress_is_throttled_and_the_last_word_counts(qtbot: Any, runner: JobRunner) -> None:
    seen: list[Progress] = []
    runner.progressed.connect(seen.append)

    def work(context: JobContext) -> None:
        start = time.perf_counter()
        for done in range(1, 5001):
            context.progress(Progress(done, 5000))
            if done % 500 == 0:
                time.sleep(0.05)
        context.emit(time.perf_counter() - start)

    runner.start(work)
    _ended(qtbot, runner)
    assert 1 <= len(seen) < 30
    assert seen[-1].done == 5000


def test_an_abandoned_job_ends_without_a_word(qtbot: Any, runner: JobRunner) -> None:
    ended = threading.Event()
    outcomes: list[Any] = []
    runner.conclude = lambda outcome: outcomes.append(outcome) or outcome

    def work(context: JobContext) -> None:
        while not context.cancel.cancelled:
            time.sleep(0.01)
        ended.set()

    runner.start(work)
    qtbot.wait(50)
    runner.abandon()
    assert ended.wait(1)
    qtbot.wait(200)
    assert outcomes == []
    runner.start(lambda context: 1)
    _ended(qtbot, runner)
    assert runner.state is JobState.DONE


def test_two_jobs_at_once_leave_the_warning_filters_alone(qtbot: Any) -> None:
    """superqt's workers swap warnings.showwarning and restore it in the wrong order."""
    import warnings

    before = (list(warnings.filters), warnings.showwarning)
    runners = [JobRunner(), JobRunner()]
    for runner, seconds in zip(runners, (0.05, 0.15), strict=True):
        runner.start(lambda context, s=seconds: time.sleep(s))
    for runner in runners:
        _ended(qtbot, runner)
    assert (list(warnings.filters), warnings.showwarning) == before


def test_a_second_start_is_refused_while_the_first_runs(qtbot: Any, runner: JobRunner) -> None:
    runner.start(lambda context: time.sleep(0.1))
    with pytest.raises(RuntimeError, match="still running"):
        runner.start(lambda context: None)
    _ended(qtbot, runner)


def test_the_result_that_cannot_be_shown_is_a_failure(qtbot: Any, runner: JobRunner) -> None:
    from dataclasses import replace

    runner.conclude = lambda outcome: replace(outcome, error=InputError("no room"))
    runner.start(lambda context: 1)
    _ended(qtbot, runner)
    assert runner.state is JobState.FAILED


def test_a_fault_in_showing_the_outcome_is_seen_and_leaves_nothing_busy(
    qtbot: Any, runner: JobRunner
) -> None:
    def conclude(outcome: Outcome) -> Outcome:
        raise TypeError("a table of another kind")

    runner.conclude = conclude
    with qtbot.captureExceptions() as errors:
        runner.start(lambda context: 1)
        _ended(qtbot, runner)
    assert [str(error) for _, error, _ in errors] == ["a table of another kind"]
    assert runner.state is JobState.FAILED


def test_perform_returns_the_value_of_a_generator() -> None:
    def work(context: JobContext) -> Iterator[str]:
        yield "a"
        yield "b"
        return "c"

    context = JobContext()
    assert perform(work, context).value == "c"
    assert context.take() == ["a", "b"]


def test_states_compare_with_their_names() -> None:
    names: Callable[[], list[str]] = lambda: [str(state) for state in JobState]  # noqa: E731
    assert names() == ["idle", "running", "cancelling", "done", "failed"]
    assert JobState.DONE == "done"


def test_the_thread_can_wait_until_its_results_are_shown(qtbot: Any, runner: JobRunner) -> None:
    order: list[str] = []

    def work(context: JobContext) -> Iterator[str]:
        yield "layer"
        context.wait_until_shown(most_s=30)
        order.append("gone on")

    runner.produced.connect(lambda _items: (time.sleep(0.1), order.append("shown")))
    runner.start(work)
    _ended(qtbot, runner)
    assert order == ["shown", "gone on"]


def test_nobody_who_takes_results_is_nobody_to_wait_for() -> None:
    context = JobContext()
    context.emit("layer")
    context.wait_until_shown(most_s=1e9)
    assert context.take() == ["layer"]


def test_the_thread_waits_for_the_window_for_a_second_and_no_longer_once_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(jobs.time, "sleep", lambda seconds: clock.append(clock.pop() + seconds))
    context = JobContext(watched=True)
    context.wait_until_shown()
    assert clock == [100.0]  # nothing was handed over
    context.emit("layer")
    context.wait_until_shown()
    assert clock[0] == pytest.approx(101.0, abs=0.1)
    context.take()
    context.showing = True
    context.wait_until_shown(most_s=5)
    assert clock[0] == pytest.approx(106.0, abs=0.1)
    context.cancel.cancel()
    with pytest.raises(CancelledError):
        context.wait_until_shown()


@pytest.mark.parametrize(
    ("error", "expected", "cancelled", "surprising"),
    [
        (None, False, False, False),
        (InputError("wrong"), True, False, False),
        (FileNotFoundError("gone"), True, False, False),
        (MemoryError("1 GiB"), True, False, False),
        (CancelledError("stop"), True, True, False),
        (ZeroDivisionError("defect"), False, False, True),
    ],
)
def test_only_what_nobody_can_mend_is_a_surprise(
    error: Exception | None, expected: bool, cancelled: bool, surprising: bool
) -> None:
    outcome = Outcome(error=error)
    found = (outcome.expected, outcome.cancelled, outcome.surprising)
    assert found == (expected, cancelled, surprising)


def test_a_runner_at_rest_has_nothing_to_stop(qtbot: Any, runner: JobRunner) -> None:
    states: list[JobState] = []
    runner.state_changed.connect(states.append)
    runner.cancel()
    runner.canceller()()
    runner.abandon()
    runner.reset()
    assert (runner.last_items(), states) == ([], [])
    runner.start(lambda context: context.emit("layer") or time.sleep(0.2))
    runner.reset()  # while it runs this changes nothing
    assert runner.state is JobState.RUNNING
    deadline = time.monotonic() + 5
    while not (items := runner.last_items()) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert items == ["layer"]
    _ended(qtbot, runner)
    runner.reset()
    assert states == [JobState.RUNNING, JobState.DONE, JobState.IDLE]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_the_work_gives_way_to_the_window(qtbot: Any, runner: JobRunner) -> None:
    def niceness(context: JobContext | None = None) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    outcomes = []
    runner.conclude = lambda outcome: outcomes.append(outcome) or outcome
    before = niceness()
    runner.start(niceness)
    _ended(qtbot, runner)
    assert outcomes[0].value == min(19, before + 5)
    assert niceness() == before
