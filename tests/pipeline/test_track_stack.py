"""Tracking of a labels stack: units travel with it, and frames without an interval are seconds."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_virtualstain.io import Stack
from napari_virtualstain.pipeline import track_stack
from napari_virtualstain.settings import TrackSettings


def _moving(frame_interval_s: float | None, *, missing: int = 0) -> Stack:
    """Return an object that moves 2 px of 0.1 µm a frame, and is missing in some frames."""
    labels = np.zeros((12, 32, 48), np.int32)
    for t in range(12):
        if not 5 <= t < 5 + missing:
            labels[t, 12:18, 4 + 2 * t : 12 + 2 * t] = 1
    return Stack(
        da.from_array(labels, chunks=(1, 32, 48)),
        "tyx",
        pixel_size_um=0.1,
        frame_interval_s=frame_interval_s,
        name="labels",
    )


@pytest.mark.parametrize(("stated_s", "held_s"), [(5.0, 5.0), (None, 1.0)])
def test_tracks_have_the_interval_of_the_movie(stated_s: float | None, held_s: float) -> None:
    tracks = track_stack(_moving(stated_s))
    assert tracks.frame_interval_s == held_s
    steps_um = np.diff(tracks.table.sort_values("frame")["x_um"])
    np.testing.assert_allclose(steps_um, 0.2, atol=0.01)


@pytest.mark.parametrize(("max_gap", "count"), [(2, 1), (1, 2)])
def test_a_gap_of_two_frames_is_closed_by_the_settings_given(max_gap: int, count: int) -> None:
    tracks = track_stack(_moving(5.0, missing=2), config=TrackSettings(max_gap=max_gap))
    assert tracks.table["track_id"].nunique() == count
