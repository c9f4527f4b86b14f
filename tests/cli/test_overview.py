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


@pytest.mark.parametrize(("size_um", "width"), [(0.08, 126), (0.08, 124), (0.1, 101), (0.1, 99)])
def test_the_scale_bar_is_5_um_where_it_fits_into_half_the_picture(
    size_um: float, width: int
) -> None:
    axis = Figure().subplots()
    axis.imshow(np.zeros((50, width)))
    overview._scale_bar(axis, size_um)
    assert bool(axis.lines) == (5.0 / size_um <= width / 2)
    for line in axis.lines:
        left, right = line.get_xdata()
        assert right - left == pytest.approx(5.0 / size_um)
        assert right == pytest.approx(0.95 * width)
        assert line.get_ydata() == pytest.approx([47.5, 47.5])


def test_pictures_span_the_5th_to_the_997th_thousandth() -> None:
    axis = Figure().subplots()
    image = np.arange(1001.0).reshape(7, 143)
    image[0, 0] = np.nan
    overview._show(axis, image, "title", "gray")
    assert axis.images[0].get_clim() == pytest.approx((6.0, 997.0), abs=0.1)
    flat = Figure().subplots()
    overview._show(flat, np.full((4, 4), 7.0), "flat", "gray")
    low, high = flat.images[0].get_clim()
    assert low == 7 < high


def test_colours_of_neighbours_are_bright_and_far_apart() -> None:
    colours = overview._colours(np.arange(1, 12))
    np.testing.assert_allclose(colours.max(axis=1), 1.0)
    np.testing.assert_allclose(colours.min(axis=1), 0.25)
    assert np.abs(np.diff(colours, axis=0)).max(axis=1).min() > 0.5
    distances = np.abs(colours[:, None] - colours[None]).sum(axis=2) + 9 * np.eye(11)
    assert distances.min() > 0.2


def test_scores_reach_from_zero_or_below_to_beyond_one() -> None:
    for lowest, left in ((0.8, 0.0), (-0.2, -0.2)):
        scores = pd.DataFrame(
            {"what": ["a"], "score": [lowest], "baseline": ["b"], "baseline_score": [-0.1]}
        )
        axis = Figure().subplots()
        overview._scores(axis, scores)
        assert axis.get_xlim() == pytest.approx((left, 1.12))
        texts = {text.get_text(): text.get_position()[0] for text in axis.texts}
        assert texts[f"{lowest:.2f}"] == pytest.approx(max(lowest, 0) + 0.01)
        assert texts["-0.10  b"] == pytest.approx(0.01)
