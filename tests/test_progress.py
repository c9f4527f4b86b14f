"""Progress of a job: its share, the time left, and how it reads."""

from __future__ import annotations

import pytest

from napari_virtualstain.progress import Progress, Reporter


@pytest.mark.parametrize(
    ("done", "total", "fraction", "left_s"),
    [
        (2, 10, 0.2, 16.0),
        (10, 10, 1.0, 0.0),
        (12, 10, 1.0, 0.0),
        (0, 10, 0.0, None),
        (2, None, None, None),
    ],
)
def test_time_left_is_that_of_the_rest_at_the_mean_speed(
    done: int, total: int | None, fraction: float | None, left_s: float | None
) -> None:
    progress = Progress(done, total, elapsed_s=4.0)
    assert progress.fraction == fraction
    assert progress.remaining_s == left_s


@pytest.mark.parametrize(
    ("limit_s", "left_s"), [(None, 16.0), (17.0, 16.0), (15.0, 15.0), (0.0, 0.0), (-3.0, 0.0)]
)
def test_time_left_is_never_more_than_the_limit(limit_s: float | None, left_s: float) -> None:
    assert Progress(2, 10, elapsed_s=4.0, limit_s=limit_s).remaining_s == left_s


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(0, None, "frame", "loading"), "loading"),
        (Progress(2, 10, "frame", "staining", 4.0), "staining: frame 2/10, 2 s/frame, 16 s left"),
        (Progress(10, None, "frame", "staining", 0.5), "staining: frame 10, 0.05 s/frame"),
        (Progress(3, None, "epoch"), "epoch 3"),
        (Progress(1, 360, "step", "training"), "training: step 1/360"),
    ],
)
def test_progress_reads_as_a_sentence(progress: Progress, text: str) -> None:
    assert str(progress) == text


def test_an_advance_counts_one_unit_unless_more_are_named() -> None:
    seen: list[Progress] = []
    reporter = Reporter(4, "frame", "staining", seen.append)
    reporter.advance()
    reporter.advance(2)
    reporter.finish()
    assert [progress.done for progress in seen] == [1, 3, 4]
