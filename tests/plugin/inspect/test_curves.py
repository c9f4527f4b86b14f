"""Curves of one track over time, against hand-counted values."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.plugin.inspect.mask_book import MaskBook
from napari_virtualstain.plugin.inspect.plots.curves import (
    curves,
    displacement,
    event_frames,
    fit_diffusion,
)
from napari_virtualstain.plugin.inspect.plots.lineage import family
from napari_virtualstain.plugin.inspect.summary_rows import Scale
from napari_virtualstain.tracking import EditableTracks


@pytest.mark.parametrize(
    ("frames", "x_px", "speeds"),
    [([4], [1.0], []), ([0, 2], [0.0, 10.0], [0.25]), ([0, 1, 4], [0.0, 10.0, -5.0], [0.5, 0.25])],
)
def test_speed_is_way_over_time(frames: list[int], x_px: list[float], speeds: list[float]) -> None:
    rows = pd.DataFrame({"track_id": 1, "frame": frames, "y_px": 3.0, "x_px": x_px})
    (curve,) = curves(EditableTracks(rows), 1, "speed", Scale(0.1, 2.0), None)
    assert curve.y.tolist() == pytest.approx(speeds)
    assert curve.x.tolist() == [2.0 * frame for frame in frames[1:]]
    assert list(curve.frames) == frames[1:]


def test_position_is_in_micrometres() -> None:
    rows = pd.DataFrame({"track_id": 1, "frame": [0, 2], "y_px": [3.0, 4.0], "x_px": [0.0, 10.0]})
    y, x = curves(EditableTracks(rows), 1, "position", Scale(0.1, 2.0), None)
    assert (y.y.tolist(), x.y.tolist()) == (pytest.approx([0.3, 0.4]), pytest.approx([0.0, 1.0]))


def _tracks(x_px: dict[int, list[float]], **columns: object) -> EditableTracks:
    """Return tracks in successive frames, each at given places of one row."""
    rows = pd.concat(
        pd.DataFrame({"track_id": track, "frame": range(len(x)), "y_px": 3.0, "x_px": x})
        for track, x in x_px.items()
    )
    return EditableTracks(rows.assign(**columns).reset_index(drop=True))


def test_quantities_that_the_tracks_do_not_hold_have_no_curve() -> None:
    tracks = _tracks({1: [0.0, 1.0]}, quality=[0.5, 0.75], trust=np.nan)
    assert curves(tracks, 1, "quality", Scale(0.1, 2.0), None)[0].y.tolist() == [0.5, 0.75]
    for kind in ("trust", "area", "length", "aspect"):
        assert curves(tracks, 1, kind, Scale(0.1, 2.0), None) == []


def test_boxes_give_length_and_aspect_where_there_are_no_masks() -> None:
    tracks = _tracks({1: [0.0, 1.0]}, height_um=[3.0, 4.0], width_um=[4.0, 0.5])
    (length,) = curves(tracks, 1, "length", Scale(0.1, 2.0), None)
    (aspect,) = curves(tracks, 1, "aspect", Scale(0.1, 2.0), None)
    assert length.y.tolist() == pytest.approx([5.0, 16.25**0.5])
    assert aspect.y.tolist() == pytest.approx([4 / 3, 8.0])


def test_masks_give_the_axes_of_their_ellipse() -> None:
    labels = np.zeros((3, 80, 120), np.int32)
    rows, columns = np.indices((80, 120))
    labels[0][((rows - 40) / 10) ** 2 + ((columns - 60) / 30) ** 2 <= 1] = 1
    labels[1, 40, 60] = 1
    places = pd.DataFrame({"track_id": 1, "frame": range(3), "y_px": 40.0, "x_px": 60.0})
    book = MaskBook(SimpleNamespace(data=labels), by_track=True)
    found = [
        curves(EditableTracks(places), 1, kind, Scale(0.1, 2.0), book)[0].y
        for kind in ("length", "aspect")
    ]
    # a single pixel is a square of 1 px: 4 sqrt(1 / 12)
    assert found[0] == pytest.approx([6.0, 0.4 * (1 / 12) ** 0.5, np.nan], rel=0.02, nan_ok=True)
    assert found[1] == pytest.approx([3.0, 1.0, np.nan], rel=0.02, nan_ok=True)


def test_displacement_pools_tracks_up_to_a_third_of_each() -> None:
    tracks = _tracks({1: [0.0, 1, 2, 3, 4, 5], 2: [0.0, 2, 4], 3: [7.0]})
    table = displacement(tracks, [1, 2, 3], Scale(0.1, 2.0))
    # 5 steps of 1 px and 2 of 2 px; over two frames 4 ways of 2 px, for 6 frames allow two
    assert table["lag"].tolist() == [2.0, 4.0]
    assert table["pairs"].tolist() == [7, 4]
    assert table["msd"].tolist() == pytest.approx([0.01 * (5 * 1 + 2 * 4) / 7, 0.01 * 4])


def test_displacement_leaves_out_gaps_and_what_was_filled_in() -> None:
    rows = pd.DataFrame(
        {"track_id": 1, "frame": [0, 1, 3, 4], "y_px": 0.0, "x_px": [0.0, 1, 9, 10]}
    )
    table = displacement(EditableTracks(rows), [1], Scale(None, None))
    assert (table["pairs"].tolist(), table["msd"].tolist()) == ([2], [1.0])
    filled = EditableTracks(rows.assign(interpolated=[False, False, False, True]))
    assert displacement(filled, [1], Scale(None, None))["pairs"].tolist() == [1]


def test_of_many_tracks_an_even_sample_is_pooled() -> None:
    tracks = _tracks({track: [0.0, 1.0] for track in range(1, 1001)})
    assert displacement(tracks, list(range(1, 1001)), Scale(None, None))["pairs"].tolist() == [500]
    few = displacement(tracks, list(range(1, 1000)), Scale(None, None))
    assert few["pairs"].tolist() == [999]


def test_the_fit_weighs_lags_by_pairs_and_leaves_out_zeros() -> None:
    lag = np.array([1.0, 2.0, 4.0])
    table = pd.DataFrame({"lag": lag, "msd": 4 * 0.3 * lag**0.6, "pairs": [9, 4, 1]})
    fit = fit_diffusion(table)
    assert fit is not None
    assert (fit.diffusion, fit.exponent) == pytest.approx((0.3, 0.6))
    assert fit.values(lag) == pytest.approx(table["msd"])
    assert fit.text(Scale(0.1, 2.0)) == "D = 0.3 µm²/s^α, α = 0.60"
    assert fit_diffusion(table[:1]) is None
    assert fit_diffusion(table.assign(msd=[1.0, 0.0, 0.0])) is None
    # an outlier at a long lag of few pairs counts little
    table.loc[2, "msd"] *= 4
    bent = fit_diffusion(table)
    weights = np.sqrt(table["pairs"] / table["lag"])
    slope, level = np.polyfit(np.log(lag), np.log(table["msd"]), 1, w=weights)
    assert bent is not None
    assert (bent.exponent, bent.diffusion) == pytest.approx((slope, np.exp(level) / 4))


def test_one_parent_is_a_fission_and_two_are_a_fusion() -> None:
    rows = pd.DataFrame({"track_id": [1, 2, 3, 4, 5], "frame": [0, 0, 1, 2, 2], "y_px": 0.0})
    tracks = EditableTracks(rows.assign(x_px=0.0), {3: [1, 2], 4: [3], 5: [3]})
    assert event_frames(tracks, 3) == [(1, "fusion"), (1, "fission")]
    assert event_frames(tracks, 1) == [(0, "fusion")]
    assert event_frames(tracks, 4) == [(2, "fission")]
    lives = family(tracks, 4)
    assert [(life.track_id, life.first, life.last, life.parents) for life in lives] == [
        (1, 0, 0, ()), (2, 0, 0, ()), (3, 1, 1, (1, 2)), (4, 2, 2, (3,)), (5, 2, 2, (3,)),
    ]  # fmt: skip
    lanes = {life.track_id: life.lane for life in lives}
    assert len({lanes[1], lanes[2], lanes[4], lanes[5]}) == 4
    assert lanes[3] == (lanes[4] + lanes[5]) / 2
    rejoined = EditableTracks(rows.assign(x_px=0.0), {4: [3], 5: [3, 4]})  # 4 fuses with its sister
    assert sorted(life.lane for life in family(rejoined, 3)[1:]) == [0, 1]
    turned = EditableTracks(rows.assign(x_px=0.0), {5: [3], 4: [3]})  # the graph has no order
    assert [life.lane for life in family(turned, 3)] == [0.5, 0, 1]


def test_a_family_is_drawn_up_to_200_tracks() -> None:
    tracks = _tracks({track: [0.0] for track in range(1, 260)})
    tracks.parents.update({track: [track - 1] for track in range(2, 260)})
    assert len(family(tracks, 1)) == 200
