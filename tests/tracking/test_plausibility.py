"""Doubt about tracks of frames that do not follow each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import napari_virtualstain as vs
from napari_virtualstain.tracking import doubt_about


@pytest.mark.parametrize(("step_px", "is_doubtful"), [(4, False), (10, True)])
def test_steps_longer_than_the_objects_are_wide_are_doubtful(
    step_px: int, is_doubtful: bool
) -> None:
    """Squares of 6 px, 6.8 px in diameter as discs, that all move by the same step."""
    labels = np.zeros((6, 80, 80), np.int32)
    for frame in range(len(labels)):
        for place in range(3):
            x = 4 + step_px * frame
            labels[frame, 5 + 25 * place : 11 + 25 * place, x : x + 6] = place + 1
    tracks = vs.track(labels, pixel_size_um=0.1)
    assert len(tracks) == 3
    doubt = doubt_about(tracks)
    assert bool(doubt) == is_doubtful
    if is_doubtful:
        assert "jump 1.5 times their own diameter" in doubt


def test_few_steps_raise_no_doubt() -> None:
    labels = np.zeros((5, 40, 80), np.int32)
    for frame in range(len(labels)):
        labels[frame, 5:11, 4 + 10 * frame : 10 + 10 * frame] = 1
    assert doubt_about(vs.track(labels)) == ""


@pytest.mark.parametrize(
    ("steps", "diameters", "is_doubtful"), [(10, 1.01, True), (9, 1.01, False), (10, 0.99, False)]
)
def test_doubt_takes_ten_steps_of_more_than_a_diameter(
    steps: int, diameters: float, is_doubtful: bool
) -> None:
    frame = np.arange(steps + 1)
    table = pd.DataFrame({"track_id": 1, "frame": frame, "y_um": 0.0, "x_um": diameters * frame})
    tracks = vs.Tracks.from_table(table.assign(area_um2=np.pi / 4))
    assert bool(doubt_about(tracks)) == is_doubtful
