"""Candidates of events: the order in which they are chosen, lifetimes and fragments."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.settings import LinkTuning, TrackTuning
from napari_virtualstain.tracking.detections import read_detections
from napari_virtualstain.tracking.events import candidates
from napari_virtualstain.tracking.events.candidates import (
    Event,
    LinkedMovie,
    _overlap_odds,
    _place_odds,
    _splits,
    find_events,
)
from napari_virtualstain.tracking.events.lifetimes import log_lasts
from napari_virtualstain.tracking.events.persistence import Fragment, _Tracks, lasting_events
from napari_virtualstain.tracking.fragments import _ended_at_gaps
from napari_virtualstain.tracking.linking.appearance import _overlap_ratio

from ..event_measures import strips

LAST = 29


def movie_of(spans: list[tuple[int, int]]) -> tuple[LinkedMovie, dict[tuple[int, int], int]]:
    """Return a movie of tracks 1, 2, … over `spans` of frames, and the place of (track, frame)."""
    rows = [
        (frame, track, 10.0 * track)
        for track, (first, last) in enumerate(spans, 1)
        for frame in range(first, last + 1)
    ]
    table = pd.DataFrame(sorted(rows), columns=["frame", "track", "x_um"])
    found = read_detections(table.assign(y_um=0.0, area_um2=1.0))
    place = {(row.track, row.frame): k for k, row in enumerate(table.itertuples())}
    return LinkedMovie(found, table.track.to_numpy(), None, 1.0, TrackTuning()), place


@pytest.mark.parametrize("sure", [(0.6, 0.9), (0.9, 0.6)])
def test_the_surer_of_two_events_of_one_parent_is_kept(sure: tuple[float, float]) -> None:
    movie, _ = movie_of([(0, LAST), (10, LAST), (10, LAST)])
    found = [Event("fission", 9, (12, 10 + k), chance) for k, chance in enumerate(sure)]
    with (
        mock.patch.object(candidates, "_partings", return_value=[]),
        mock.patch.object(candidates, "_splits", side_effect=[found, []]),
    ):
        kept = find_events(movie)
    assert [event.probability for event in kept] == [0.9]


@pytest.mark.parametrize("life", [0.5, 3.0])
def test_chances_of_lasting_belong_together(life: float) -> None:
    frames = np.arange(1, 2_000)
    at_least = np.exp(log_lasts(frames, np.zeros(len(frames), bool), life))
    exactly = np.exp(log_lasts(frames, np.ones(len(frames), bool), life))
    assert at_least[0] == pytest.approx(1.0)
    np.testing.assert_allclose(exactly[:-1], at_least[:-1] - at_least[1:], rtol=1e-6)
    assert at_least.sum() == pytest.approx(life + 1, rel=0.02)  # the mean life, frames


@pytest.mark.parametrize("kind", ["fission", "fusion"])
@pytest.mark.parametrize("order", [1, -1])
def test_the_daughter_that_does_not_last_is_the_fragment(kind: str, order: int) -> None:
    # an object, and something beside it in frame 10 alone
    movie, place = movie_of([(0, LAST), (10, 10)])
    parent = place[1, 9 if kind == "fission" else 11]
    pair = (place[1, 10], place[2, 10])[::order]
    kept, fragments, _ = lasting_events(movie, [Event(kind, parent, pair, 0.9)])
    assert kept == []
    sign = 1 if kind == "fission" else -1
    assert fragments == [Fragment(place[2, 10], place[1, 10], 1, sign)]


def test_of_daughters_that_come_and_go_together_the_one_that_began_is_the_fragment() -> None:
    movie, place = movie_of([(0, 9), (10, 10), (10, 10), (11, LAST)])
    pair = (place[2, 10], place[3, 10])
    _, fragments, _ = lasting_events(movie, [Event("fission", place[1, 9], pair, 0.9)])
    assert [(one.fragment, one.of) for one in fragments] == [pair[::-1]]


def test_overlap_speaks_for_the_same_object_and_its_lack_for_another() -> None:
    # two strips at rest, which touch: each overlaps itself fully and the other not at all
    frames, tuning = 12, LinkTuning()
    rows = [(t, 0.95 + 2.0 * k) for t in range(frames) for k in (0, 1)]
    table = pd.DataFrame(rows, columns=["frame", "x_um"]).assign(y_um=0.0, area_um2=2.0)
    masks = strips([(20 * k, 20 * k + 20) for _ in range(frames) for k in (0, 1)])
    after = np.arange(2, 2 * frames)
    ratio = _overlap_ratio(read_detections(table), masks, after - 2, after, tuning)
    classes, pairs = len(ratio), len(after)
    share = np.log((pairs + 1) / 1)  # one of each kind in each class is assumed
    assert ratio[-1] == pytest.approx(min(share, tuning.appearance_cap))
    assert ratio[0] == pytest.approx(-min(share, tuning.appearance_cap))
    assert ratio[1 : classes - 1] == pytest.approx(0.0)


def rows_in(
    order: list[int], tracks: list[int], x_um: list[float], area_um2: list[float]
) -> LinkedMovie:
    """Return a movie whose first frame holds the first two objects, in this `order`."""
    frame = [0, 0] + [1] * (len(tracks) - 2)
    table = pd.DataFrame({"frame": frame, "x_um": x_um, "area_um2": area_um2, "track": tracks})
    table = table.iloc[[*order, *range(2, len(table))]].reset_index(drop=True)
    found = read_detections(table.drop(columns="track").assign(y_um=0.0))
    return LinkedMovie(found, table.track.to_numpy(), None, 0.1, TrackTuning())


ORDERS = pytest.mark.parametrize("order", [[0, 1], [1, 0]])


@ORDERS
def test_two_of_the_first_frame_fuse_whichever_is_listed_first(order: list[int]) -> None:
    movie = rows_in(order, [1, 2, 1], [-0.5, 1.1, 0.0], [1.7, 1.6, 4.0])
    assert [event.kind for event in _splits(movie, backwards=True)] == ["fusion"]


@ORDERS
def test_who_was_there_before_is_no_daughter(order: list[int]) -> None:
    # the smaller part was seen beside the parent already
    movie = rows_in(order, [1, 2, 1, 2], [0.0, 3.0, -0.5, 1.1], [4.0, 1.6, 1.7, 1.6])
    assert _splits(movie, backwards=False) == []


def daughters_at(*x_um: float) -> LinkedMovie:
    """Return a parent of radius 1 µm at 0, and daughters in the next frame."""
    table = pd.DataFrame({"frame": [0, 1, 1], "x_um": [0.0, *x_um], "area_um2": np.pi})
    found = read_detections(table.assign(y_um=0.0))
    return LinkedMovie(found, np.array([1, 2, 3]), None, 0.1, TrackTuning())


@pytest.mark.parametrize(("log_odds", "counted"), [(-5.9, -5.9), (-6.1, -6.0), (-60.0, -6.0)])
def test_daughters_beside_the_parent_cost_so_much_at_most(log_odds: float, counted: float) -> None:
    # a Gaussian of the middle, a tenth of a step and a quarter of the radius wide
    off = 0.35 * np.sqrt(2 * (2.0 - log_odds))
    movie = daughters_at(off - 1, off + 1)
    assert _place_odds(movie, 0, (1, 2), goes_on=False) == pytest.approx(counted)


def test_without_masks_only_the_way_out_of_the_parent_counts_up_to_an_end() -> None:
    inside, rim, out, far, farther = (
        _overlap_odds(daughters_at(0.0, 1 + beyond_um), 0, (1, 2))
        for beyond_um in (-0.9, 0.0, 0.1, 3.4, 34.0)
    )
    numbers = TrackTuning().events
    assert inside == rim == numbers.near_log_odds > out
    # no more than masks that share nothing say
    assert far == farther == numbers.overlap_log_odds[0]
    assert _overlap_odds(daughters_at(0.0, 1 + 3.2), 0, (1, 2)) > far


@pytest.mark.parametrize("lasts", [1, 2, 5])
def test_parts_that_fuse_again_are_undone_after_the_frames_they_lasted(lasts: int) -> None:
    again = 10 + lasts
    movie, place = movie_of([(0, 9), (10, again - 1), (10, again - 1), (again, LAST)])
    parts = [(place[2, frame], place[3, frame]) for frame in (10, again - 1)]
    events = [
        Event("fission", place[1, 9], parts[0], 0.9),
        Event("fusion", place[4, again], parts[1], 0.9),
    ]
    for lives in map(_Tracks(movie, events)._lives, events):
        assert lives[1:] == [(lasts, True, True)] * 2
        assert not lives[0][2]


@pytest.mark.parametrize("step", [1, 3])
def test_a_track_is_two_at_a_gap_and_one_where_nothing_is_missing(step: int) -> None:
    frames = step * np.array([0, 0, 1, 1, 2, 3, 3, 4])
    tracks = np.array([1, 2, 1, 2, 1, 1, 2, 2])
    table = pd.DataFrame({"frame": frames, "y_um": 0.0, "x_um": 9.0 * tracks})
    movie = LinkedMovie(read_detections(table), tracks, None, 1.0, TrackTuning())
    assert _ended_at_gaps(movie).track_ids.tolist() == [1, 2, 1, 2, 1, 1, 3, 3]


def test_an_object_reaches_the_border_with_one_of_its_fragments() -> None:
    masks = strips([(0, 10), (10, 20), (30, 40)])
    masks = replace(masks, at_border=np.array([True, False, False]))
    assert masks.joined(np.array([0, 0, 1])).at_border.tolist() == [True, False]
