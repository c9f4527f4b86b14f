"""What the inspector says of many tracks, whose verdicts it takes, and what was looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.plugin.inspect.keeping.verdict_table import read_verdicts
from napari_virtualstain.plugin.inspect.overlay import _contour, _ring
from napari_virtualstain.plugin.inspect.selection import Selection
from napari_virtualstain.plugin.inspect.summary_rows import (
    Scale,
    _neighbourhood,
    counts_text,
    typical_step,
)
from napari_virtualstain.tracking import EditableTracks


def _tracks(*rows: tuple[int, int, float, float]) -> EditableTracks:
    return EditableTracks(pd.DataFrame(rows, columns=["track_id", "frame", "y_px", "x_px"]))


@pytest.mark.parametrize(
    ("doubtful", "fine", "is_said"),
    [(20, 10, False), (21, 10, True), (40, 40, False), (41, 40, True)],
)
def test_most_tracks_are_doubtful_above_twenty_and_half(
    doubtful: int, fine: int, is_said: bool
) -> None:
    chance = pd.Series([0.2] * doubtful + [0.19] * fine)
    text = counts_text(chance, least=0.2, listed=len(chance))
    assert text.startswith(f"{doubtful + fine} tracks, {doubtful} worth a look. Next: N.")
    assert ("That is most of them" in text) == is_said
    assert "not judged" not in text


def test_tracks_that_were_not_judged_or_are_not_listed_are_counted() -> None:
    text = counts_text(pd.Series([0.5, np.nan, np.nan]), least=0.2, listed=1)
    assert text.endswith("2 not judged: too few links. The filter lists 1.")


def test_the_typical_step_is_the_median_within_tracks() -> None:
    tracks = _tracks(
        (1, 0, 0, 0), (1, 1, 0, 3), (1, 3, 8, 3), (2, 0, 90, 90), (2, 1, 90, 95), (2, 2, 90, 96)
    )  # fmt: skip
    assert typical_step(tracks, Scale(0.1, 2.0)) == pytest.approx(0.1 * 3.5)  # of 1, 3, 4 and 5
    assert typical_step(_tracks((1, 0, 0, 0)), Scale(0.1, 2.0)) == pytest.approx(0.1)


@pytest.mark.parametrize(("away", "is_near"), [(39.0, True), (41.0, False)])
@pytest.mark.parametrize("axis", [0, 1])
def test_neighbours_pass_within_forty_pixels(away: float, is_near: bool, axis: int) -> None:
    place = [100.0, 100.0]
    place[axis] += away
    far = [(number, frame, 900.0, 900.0) for number in range(3, 9) for frame in range(20)]
    # of 122 rows each second is in the even sample: the second track is not
    tracks = _tracks((1, 5, 100.0, 100.0), (2, 5, *place), *far)
    assert (2 in _neighbourhood(tracks, [1])) == is_near


def test_scales_name_their_units() -> None:
    known, unknown = Scale(0.1, 2.0), Scale(None, None)
    assert (known.per_pixel, known.per_frame) == (0.1, 2.0)
    assert (unknown.per_pixel, unknown.per_frame) == (1.0, 1.0)
    assert (known.speed_column, unknown.speed_column) == ("speed_um_per_s", "speed_px_per_frame")
    assert (known.area_column, unknown.area_column) == ("area_um2", "area_px2")
    assert (known.length_unit, unknown.time_unit) == ("µm", "frame")


@pytest.mark.parametrize(("away", "is_taken"), [(4.9, True), (5.1, False)])
def test_verdicts_are_of_a_track_that_is_still_where_it_was(
    tmp_path: Path, away: float, is_taken: bool
) -> None:
    tracks = _tracks((3, 0, 10, 20), (3, 1, 10, 22))
    table = tmp_path / "verdicts.csv"
    table.write_text(f"track_id,verdict,y_px,x_px\n3,ok,10,{21 + away}\n")
    found = read_verdicts(table, tracks)
    assert (found.tracks, found.strangers) == (({3: "ok"}, 0) if is_taken else ({}, 1))


@pytest.mark.parametrize(
    ("text", "taken", "strangers"),
    [
        ("track_id,verdict,first,last\n3,ok,0,1\n", {3: "ok"}, 0),
        ("track_id,verdict,first,last\n3,ok,0,2\n", {}, 1),
        ("track_id,verdict\n3,ok\n4,wrong\n5,\n", {3: "ok"}, 1),
    ],
)
def test_without_positions_the_frames_or_the_number_decide(
    tmp_path: Path, text: str, taken: dict[int, str], strangers: int
) -> None:
    table = tmp_path / "verdicts.csv"
    table.write_text(text)
    found = read_verdicts(table, _tracks((3, 0, 10, 20), (3, 1, 10, 22)))
    assert (found.tracks, found.strangers) == (taken, strangers)


def test_the_history_holds_five_hundred_tracks_before_the_last() -> None:
    selection = Selection()
    for track in range(1, 700):
        selection.choose(track)
    seen: list[Any] = []
    selection.changed.connect(lambda track, _: seen.append(track))
    while selection.can_go_back:
        selection.back()
    assert seen[0] == 698
    assert len(seen) == 501
    while selection.can_go_forward:
        selection.forward()
    assert selection.track_id == 699


def test_another_frame_of_a_track_is_no_step_of_the_history() -> None:
    selection = Selection()
    seen: list[Any] = []
    selection.changed.connect(lambda track, frame: seen.append((track, frame)))
    selection.choose(1, 0, also=(1, 2))
    selection.choose(1, 4, also=(2,))
    selection.choose(1, 4, also=(2,))
    selection.choose(1, 4, also=(2,), renew=True)
    assert seen == [(1, 0), (1, 4), (1, 4)]
    assert selection.tracks == (1, 2)
    assert not selection.can_go_back
    selection.choose(2)
    selection.choose(3)
    selection.exists = lambda track: track != 2
    selection.back()
    assert (selection.track_id, selection.can_go_back) == (1, False)
    selection.forward()
    assert selection.track_id == 3
    selection.forget()
    assert (selection.tracks, selection.can_go_back, selection.can_go_forward) == ((), False, False)


def test_outlines_follow_the_border_of_the_mask_and_a_ring_stands_for_none() -> None:
    mask = np.zeros((6, 8), bool)
    mask[1:5, 2:7] = True
    points = _contour(mask, (10, 20))
    assert points.min(axis=0) == pytest.approx([10.5, 21.5])
    assert points.max(axis=0) == pytest.approx([14.5, 26.5])
    assert np.hypot(*np.diff(points, axis=0).T).max() <= 0.51
    ring = _ring((3.0, 50.0, 60.0))
    np.testing.assert_allclose(np.hypot(*(ring[:, -2:] - [50, 60]).T), 6.0)
    assert len(ring) >= 24
