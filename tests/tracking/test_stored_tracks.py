"""Tracks, links and events of a fixed movie are those of the last version, in every mode."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from stored_figures import check_figures, of_table

import napari_virtualstain as vs
from napari_virtualstain.tracking import (
    TrackingConfig,
    analyse_motion,
    event_rates,
    judge_errors,
    mean_squared_displacement,
    summarise_tracks,
    track_rows,
)


def labels() -> np.ndarray:
    """Return rods that wander, part and meet, shape (16, 96, 112), each with its own size."""
    rng = np.random.default_rng(3)
    place = rng.uniform((10, 18), (86, 94), (14, 2))
    drift, length = rng.normal(0, 0.7, (14, 2)), rng.integers(3, 9, 14)
    frames = []
    for t in range(16):
        drift = 0.8 * drift + rng.normal(0, 0.4, drift.shape)
        place = np.clip(place + drift, 6, [89, 105])
        drawn = np.zeros((96, 112), bool)
        for k, (y, x) in enumerate(place.round().astype(int)):
            gap = 2 if k % 4 == 0 and t > 7 else 0  # every fourth rod parts
            drawn[y - 1 : y + 2, x - length[k] : x - gap] = True
            drawn[y - 1 : y + 2, x + gap : x + length[k]] = True
        frames.append(ndimage.label(drawn)[0])
    return np.stack(frames).astype(np.int32)


@pytest.fixture(scope="module")
def movie() -> np.ndarray:
    """The labels of one movie for all tests."""
    return labels()


@pytest.mark.parametrize("mode", ["extended", "paper"])
def test_tracks(movie: np.ndarray, mode: str) -> None:
    shine = 100.0 + 5 * movie + np.arange(112)
    tracks = vs.track(
        movie,
        intensity=shine,
        pixel_size_um=0.1,
        frame_interval_s=2.0,
        config=TrackingConfig(mode=mode),
    )
    found = of_table("table", tracks.table) | of_table("events", tracks.events)
    if mode == "extended":
        errors = judge_errors(tracks.table, pixel_size_um=0.1)
        found |= of_table("errors", errors.tracks)
        found |= of_table("links", pd.DataFrame({"error": errors.links}))
        found |= of_table("motion", analyse_motion(tracks))
        found |= of_table("msd", mean_squared_displacement(tracks))
        found |= {f"rate {name}": rate for name, rate in event_rates(tracks).items()}
        data, features = tracks.to_napari()[:2]
        rows = track_rows(data, pd.DataFrame(features))
        summary = summarise_tracks(rows, pixel_size_um=0.1, frame_interval_s=2.0)
        found |= of_table("summary", summary)
    check_figures(f"tracks_{mode}", found, tolerance=2e-3)


def test_links_of_positions_alone() -> None:
    rng = np.random.default_rng(0)
    place = np.cumsum(rng.normal(0, 0.3, (30, 12, 2)), axis=0) + rng.uniform(0, 20, (12, 2))
    ages = np.repeat(np.arange(30), 12)
    table = pd.DataFrame(
        {"frame": ages, "y_um": place[..., 0].ravel(), "x_um": place[..., 1].ravel()}
    )
    table = table[rng.uniform(size=len(table)) > 0.1]
    found = {}
    for mode in ("extended", "paper"):
        tracks = vs.link(table, frame_interval_s=1.0, mode=mode)
        found |= of_table(mode, tracks.table)
    check_figures("tracks_positions", found, tolerance=2e-3)
