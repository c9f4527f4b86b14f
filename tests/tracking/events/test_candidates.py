"""Candidates of events: the order in which they are chosen, lifetimes and fragments."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.settings import LinkTuning, TrackTuning
from napari_virtualstain.tracking.detections import read_detections
from napari_virtualstain.tracking.events import candidates
from napari_virtualstain.tracking.events.candidates import Event, LinkedMovie, find_events
from napari_virtualstain.tracking.events.lifetimes import log_lasts
from napari_virtualstain.tracking.events.persistence import Fragment, lasting_events
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
