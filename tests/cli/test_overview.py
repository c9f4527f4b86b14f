"""Overview picture of a demo: what each panel shows of a movie of three tracks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from napari_virtualstain.cli import overview

MIDDLE = 20


def walk(track: int, frames: range) -> pd.DataFrame:
    """Return a track that goes right by a pixel a frame, in the row of its number."""
    ages = np.array(frames)
    return pd.DataFrame({"track_id": track, "frame": ages, "y_px": track, "x_px": ages})


@pytest.fixture
def demo() -> Any:
    labels = np.zeros((40, 32, 48), np.int32)
    labels[:, 4:8, 4:9] = 1
    labels[:, 14:18, 4:9] = 2
    light = np.random.default_rng(0).normal(100, 5, labels.shape)
    events = pd.DataFrame({"kind": ["fission"], "frame": [3], "y_um": [0.8], "x_um": [1.6]})
    return SimpleNamespace(
        bright_field=light,
        virtual=light + 50 * (labels > 0),
        fluorescence=light,
        labels=labels,
        true_labels=labels * (labels < 2),
        tracks=pd.concat([walk(1, range(40)), walk(2, range(15)), walk(3, range(7))]),
        true_tracks=walk(1, range(40)),
        events=events,
        true_events=events,
        pixel_size_um=0.08,
        frame_interval_s=2.0,
    )


def test_tracks_trail_by_12_frames_and_end_in_a_dot_where_they_go_on(demo: Any) -> None:
    axis = Figure().subplots()
    overview._tracks(axis, demo, MIDDLE)
    trails = [line.get_xdata().tolist() for line in axis.lines if line.get_linestyle() == "-"]
    assert trails == [list(range(8, 21)), list(range(8, 15))]  # the third ended before
    dots = [line.get_xydata()[-1].tolist() for line in axis.lines if line.get_marker() == "o"]
    assert dots == [[20, 1]]
    crosses = [line.get_xydata().tolist() for line in axis.lines if line.get_marker() == "x"]
    assert crosses == [[[pytest.approx(20), pytest.approx(10)]]]
    assert axis.get_xlim() == (-0.5, 47.5)
    assert axis.get_ylim() == (31.5, -0.5)
    assert axis.get_title(loc="left") == "4  Tracked: 3 tracks (truth: 1)"


def test_outlines_count_the_mitochondria(demo: Any) -> None:
    axis = Figure().subplots()
    overview._outlines(axis, demo, MIDDLE)
    assert axis.get_title(loc="left") == "3  Outlined: 2 mitochondria (truth: 1)"
    painted = axis.images[1].get_array()
    np.testing.assert_array_equal(painted[..., 3] > 0, demo.labels[MIDDLE] > 0)


def test_scores_stand_above_their_baselines() -> None:
    scores = pd.DataFrame(
        {
            "what": ["stain", "tracks"],
            "score": [0.8, -0.2],
            "baseline": ["blur", ""],
            "baseline_score": [0.5, np.nan],
        }
    )
    axis = Figure().subplots()
    overview._scores(axis, scores)
    widths = [bar.get_width() for bar in axis.patches]
    assert widths == [0.8, -0.2, 0.5, 0.0]
    places = [bar.get_y() for bar in axis.patches]
    assert places[0] > places[2] > places[1] > places[3]


def test_the_middle_frame_is_drawn(demo: Any, tmp_path: Path) -> None:
    drawn = []
    for bright in (MIDDLE, MIDDLE - 1, MIDDLE + 1):
        demo.bright_field = np.zeros_like(demo.bright_field)
        demo.bright_field[bright] = np.arange(48)
        rows = pd.DataFrame(
            {"what": ["stain"], "score": [0.8], "baseline": ["blur"], "baseline_score": [0.5]}
        )
        overview.draw_overview(demo, rows, tmp_path / "o.png")
        drawn.append(imread(tmp_path / "o.png"))
    assert not np.array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[1], drawn[2])
