"""Divisions and fusions told from places alone, on movies whose truth is made here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_t

import napari_virtualstain as vs
from napari_virtualstain.settings import DivisionTuning
from napari_virtualstain.tracking import TrackingConfig
from napari_virtualstain.tracking.detections import read_detections
from napari_virtualstain.tracking.events.division import Triples, _Links, divisions

from ..event_measures import DIVIDING

FRAMES, COUNT, SPACING = 30, 25, 60.0


def dividing(seed: int = 0, apart: float = 20.0) -> pd.DataFrame:
    """Return ``frame y_um x_um area_um2`` of objects on a grid; each divides once, 20 µm apart."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(COUNT):
        place = SPACING * np.array(divmod(k, 5), float)
        when, angle = 5 + k % 20, rng.uniform(0, np.pi)
        parts = [place]
        for frame in range(FRAMES):
            if frame == when:
                across = apart / 2 * np.array([np.sin(angle), np.cos(angle)])
                middle = parts[0] + rng.normal(0, 1.0, 2)
                parts = [middle - across, middle + across]
            parts = [part + rng.normal(0, 1.0, 2) for part in parts]
            area = 100.0 / len(parts)
            rows += [(frame, *part, area * rng.lognormal(0, 0.05)) for part in parts]
    return pd.DataFrame(rows, columns=["frame", "y_um", "x_um", "area_um2"])


@pytest.mark.parametrize("columns", [3, 4], ids=["places", "places and areas"])
@pytest.mark.parametrize("kind", ["fission", "fusion"])
def test_divisions_are_found_forwards_and_fusions_backwards(kind: str, columns: int) -> None:
    movie = dividing().iloc[:, :columns]
    if kind == "fusion":
        movie = movie.assign(frame=FRAMES - 1 - movie.frame)
    events = vs.link(movie).events
    assert set(events.kind) == {kind}
    assert COUNT - 2 <= len(events) <= COUNT
    when = np.sort(5 + np.arange(COUNT) % 20)
    expected = when if kind == "fission" else np.sort(FRAMES - when)
    assert np.isin(events.frame, expected).mean() > 0.9
    two = events.children if kind == "fission" else events.parents
    assert (two.str.count(";") == 1).all()
    assert (events.probability > 0.5).all()


def test_daughters_are_new_tracks_whose_parent_is_the_mother() -> None:
    tracks = vs.link(dividing())
    assert len(tracks) == 3 * COUNT
    parents = [parent for some in tracks.graph.values() for parent in some]
    assert sorted(parents) == sorted(2 * sorted(set(parents)))
    ends = tracks.table.groupby("track_id").frame.max()
    begins = tracks.table.groupby("track_id").frame.min()
    assert all(ends[p] < begins[c] for c, some in tracks.graph.items() for p in some)


def test_broken_tracks_of_crowded_walkers_are_no_divisions() -> None:
    rng = np.random.default_rng(3)
    place = rng.uniform(0, 60, (80, 2)) + rng.normal(0, 1, (40, 80, 2)).cumsum(0)
    frame = np.repeat(np.arange(40), 80)
    seen = pd.DataFrame({"frame": frame, "y_um": place[..., 0].ravel()})
    seen["x_um"] = place[..., 1].ravel()
    seen = seen[rng.random(len(seen)) > 0.1]
    assert len(vs.link(seen).events) == 0


def test_divisions_can_be_left_out() -> None:
    assert vs.link(dividing(), config=TrackingConfig(fission_fusion=False)).graph == {}


def test_fusions_of_the_first_frame_do_not_depend_on_who_is_listed_first() -> None:
    # the marked divisions up to frame 8, with time reversed
    found, ids = DIVIDING
    table = pd.DataFrame(found.position_um, columns=["y_um", "x_um"])
    table = table.assign(frame=8 - found.frame, track=ids, area_um2=found.area_um2)
    table = table[table.frame >= 0]
    chances = []
    for first in (4, 104, 0):  # daughters of a fusion in frame 1, and another object
        order = np.lexsort((table.track != first, table.frame))
        movie, track = read_detections(table.iloc[order]), table.track.to_numpy()[order]
        fused, chance = divisions(movie, track, 1.0, DivisionTuning(), backwards=True)
        members = np.column_stack([fused.parent, fused.sibling, fused.child])
        assert {4, 104} in [set(some) for some in track[members[chance > 0.5, 1:]].tolist()]
        chances.append(np.sort(chance))
    assert np.allclose(chances, chances[0])


def test_who_was_seen_once_is_not_lost_and_found_again() -> None:
    densities = []
    for seen in (1, 2):
        frames = [*range(2 - seen, 2), 1, 9]
        ids = np.array([1] * seen + [2, 3])
        x_um = [0.0] * seen + [90.0, 90.0]
        table = pd.DataFrame({"frame": frames, "x_um": x_um, "y_um": 0.0})
        links = _Links(read_detections(table), ids, 1.0, False, DivisionTuning())
        near, far = links.log_begins(
            np.array([[0.0, 1.0], [50.0, 50.0]]), np.full(2, 2), np.full(2, -1)
        )
        densities.append(near - far)
    assert densities[0] == pytest.approx(0.0)
    assert densities[1] > 1.0


@pytest.mark.parametrize("first", [0, 1])
def test_who_goes_on_did_not_end_whoever_is_listed_first(first: int) -> None:
    # backwards: an object of frame 1, far from where it was in frame 0, and one beside it
    table = pd.DataFrame({"frame": [0, 0, 1, 1], "x_um": [30.0, 1.0, 0.0, 60.0], "y_um": 0.0})
    order, ids = np.array([first, 1 - first, 2, 3]), np.array([1, 2, 1, 3])
    found = read_detections(table.iloc[order])
    links = _Links(found, ids[order], 1.0, True, DivisionTuning())
    triple = Triples(np.array([2]), order[:1], order[1:2], np.ones(1, int))
    alone = links.log_alone(triple, found.position_um[triple.child])
    goes_on = [
        links.log_step(*found.position_um[[2, part]]) + np.log(links.begins)
        for part in (triple.sibling[0], triple.child[0])
    ]
    assert alone == pytest.approx(np.logaddexp(*goes_on))


@pytest.mark.parametrize("away", [0.0, 1.0, 9.0])
@pytest.mark.parametrize("tail", [1.0, 3.0])
def test_usual_steps_are_those_of_students_t(away: float, tail: float) -> None:
    found, ids = DIVIDING
    links = _Links(found, ids, 1.5, False, DivisionTuning(step_tail=tail))
    law = multivariate_t(np.zeros(2), 1.5**2 * np.eye(2), df=tail)
    place = np.array([0.6, 0.8]) * away
    assert links.log_step(np.zeros(2), place) == pytest.approx(law.logpdf(place))
