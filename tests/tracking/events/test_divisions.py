"""Divisions and fusions told from places alone, on movies whose truth is made here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import napari_virtualstain as vs
from napari_virtualstain.tracking import TrackingConfig

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
