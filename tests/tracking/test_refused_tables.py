"""Tables and labels that cannot be tracked, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.errors import AxesError, InputError
from napari_virtualstain.io import Stack
from napari_virtualstain.tracking import Tracks, link, mean_squared_displacement, track
from napari_virtualstain.tracking.judging.random_sample import wilson_interval
from napari_virtualstain.tracking.mask_detections import whole_labels
from napari_virtualstain.tracking.relabelling import relabel
from napari_virtualstain.tracking.summary import summarise

TABLE = pd.DataFrame({"track_id": 1, "frame": range(4), "y_um": 0.0, "x_um": range(4)})
OTHERS = {"label", "area_um2", "intensity"}
NAMES = {*TABLE, *OTHERS}
LABELS = np.zeros((2, 8, 8), np.int32)


@pytest.mark.parametrize(
    ("detections", "error", "said"),
    [
        ([[0, 1, 2]], InputError, "Detections are a list"),
        (TABLE.drop(columns="y_um"), InputError, "y_um"),
        (pd.concat([TABLE, TABLE[["y_um"]]], axis=1), InputError, "the column 'y_um' twice"),
        (TABLE.assign(z_um=range(4)), AxesError, "varying column z_um"),
        (TABLE.assign(z=[0, 0, 0, 1]), AxesError, "varying column z"),
        (TABLE.assign(x_um=[1j] * 4), InputError, "x_um"),
    ],
)
def test_detections_that_cannot_be_linked(detections: Any, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        link(detections)


@pytest.mark.parametrize(
    ("name", "largest", "too_large"),
    [
        ("frame", 2_000_000, 2_000_001),
        ("y_um", 1e7, 1.01e7),
        ("x_um", -1e7, -1.01e7),
        ("track_id", 2**53, 2**53 + 2),
        ("label", 2**53, 2**53 + 2),
        ("area_um2", 1e30, 1.01e30),
        ("intensity", -1e30, -1.01e30),
    ],
)
def test_numbers_of_detections_and_tracks_have_ends(
    name: str, largest: float, too_large: float
) -> None:
    for read, names in ((link, NAMES - {"track_id"}), (Tracks.from_table, NAMES - OTHERS)):
        if name in names:
            table = TABLE[[*names & {*TABLE}]]
            read(table.assign(**{name: [0, 1, 2, largest]}))
            with pytest.raises(InputError, match=f"column {name}"):
                read(table.assign(**{name: [0, 1, 2, too_large]}))


@pytest.mark.parametrize(("radius_um", "allowed"), [(1e7, True), (1.01e7, False)])
def test_a_search_radius_has_an_end(radius_um: float, allowed: bool) -> None:
    if allowed:
        assert len(link(TABLE, search_radius_um=radius_um)) == 1
    else:
        with pytest.raises(InputError, match="search radius is 1.01e"):
            link(TABLE, search_radius_um=radius_um)


def test_a_constant_plane_is_no_third_dimension() -> None:
    assert len(link(TABLE.assign(z_um=3.0)).table) == 4


@pytest.mark.parametrize("given", [{"pixel_size_um": None}, {"frame_interval_s": None}])
def test_scales_are_left_out_instead_of_none(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is None: expected a positive number"):
        link(TABLE, **given)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (TABLE.drop(columns=["frame", "x_um"]), "lacks frame, x_um"),
        (pd.concat([TABLE, TABLE[["frame"]]], axis=1), "the column 'frame' twice"),
        (TABLE.assign(area_um2=[1.0, 1.0, 1.0, -1.0]), "values from -1 to 1"),
        (TABLE.assign(area_um2=[1.0, 1.0, 1.0, np.inf]), "area_um2"),
    ],
)
def test_tables_that_are_none_of_tracks(table: pd.DataFrame, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Tracks.from_table(table)


@pytest.mark.parametrize(
    ("labels", "error", "said"),
    [
        (LABELS[0], AxesError, "expected three axes t, y, x"),
        (LABELS.astype(complex), InputError, "expected whole numbers"),
        (Stack(LABELS[None], "ctyx"[:1] + "zyx", name="two"), AxesError, "two has axes"),
    ],
)
def test_labels_that_cannot_be_tracked(labels: Any, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        track(labels)


def test_only_labels_over_time_get_the_numbers_of_tracks() -> None:
    table = Tracks.from_table(TABLE.assign(label=1)).table
    with pytest.raises(AxesError, match="expected three axes t, y, x"):
        relabel(LABELS[0], table)
    stack = relabel(Stack(LABELS, "tyx", pixel_size_um=0.1), table)
    assert (stack.pixel_size_um, stack.shape) == (0.1, LABELS.shape)
    assert relabel(LABELS[:0], table).shape == (0, 8, 8)


@pytest.mark.parametrize(
    "plane",
    [
        np.array([[0.5]]),
        np.array([[np.nan]]),
        np.array([["a"]]),
        np.array([[2.0**53 + 2]]),
        np.array([[2**53 + 1]], np.uint64),
        np.array([[-1, 0]]),
        np.array([[-1, -2]]),
    ],
)
def test_planes_of_labels_hold_whole_numbers_of_0_or_more(plane: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected"):
        whole_labels(plane)


@pytest.mark.parametrize(
    ("plane", "whole"),
    [
        (np.array([[2.0, 0.0]]), [2, 0]),
        (np.array([[2.0**53]]), [2**53]),
        (np.array([[2**53]], np.uint64), [2**53]),
        (np.array([[-1, 3]]), [0, 3]),
        (np.array([[True, False]]), [1, 0]),
    ],
)
def test_floats_and_one_negative_background_are_understood(
    plane: np.ndarray, whole: list[int]
) -> None:
    assert whole_labels(plane).ravel().tolist() == whole


def test_displacements_are_of_one_frame_or_more() -> None:
    tracks = Tracks.from_table(TABLE)
    with pytest.raises(InputError, match="largest_lag is 0"):
        mean_squared_displacement(tracks, largest_lag=0)
    assert mean_squared_displacement(tracks, largest_lag=1)["lag"].tolist() == [1]


def test_a_share_is_said_with_its_interval() -> None:
    assert str(wilson_interval(27, 30)) == "27 of 30 right: 90 % (74 to 97 %)"
    assert str(wilson_interval(0, 0)) == "none judged"


def test_the_trust_of_a_track_is_the_mean_of_its_rows() -> None:
    rows = TABLE.assign(quality=[1.0, 0.4, 0.9, 1.0], interpolated=[False, True, False, False])
    rows = rows.assign(reason=["", "step", "", ""], trust=[0.5, np.nan, 1.0, 0.9])
    (row,) = summarise(rows).to_dict("records")
    assert (row["length"], row["missing"], row["weakest_frame"]) == (4, 1, 1)
    assert row["trust"] == pytest.approx(0.8)
    assert row["reason"] == "step"
