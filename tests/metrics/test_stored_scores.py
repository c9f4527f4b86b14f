"""Every score of fixed images has the value of the last version: reports are compared by them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage
from stored_figures import check_figures, of_table

from napari_virtualstain.metrics import (
    bootstrap_interval,
    compare,
    evaluate,
    evaluate_labels,
    event_scores,
    identity_scores,
    summarise,
)


def movie(seed: int) -> np.ndarray:
    """Return four frames of bright spots that drift, shape (4, 64, 80)."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(80, 96)), 2)
    spots = np.exp(noise / noise.std())
    return np.stack([spots[2 * t : 2 * t + 64, t : t + 80] for t in range(4)])


def pair() -> tuple[np.ndarray, np.ndarray]:
    """Return a prediction and its reference with gain, offset, flicker and noise between."""
    truth, rng = movie(0), np.random.default_rng(5)
    flicker = np.array([1.0, 1.1, 0.95, 1.2])[:, None, None]
    wrong = 0.7 * flicker * truth + 0.3 * movie(1) + rng.normal(0, 0.1, truth.shape)
    return 50 * wrong + 20, 100 * truth + rng.normal(0, 4, truth.shape)


def test_images() -> None:
    found = {}
    for pixel_size_um in (0.08, 0.2):
        scores = evaluate(*pair(), pixel_size_um=pixel_size_um, groups=list("aabb"))
        found |= of_table(f"at {pixel_size_um}", scores)
    found |= of_table("summary", summarise(scores, generator=np.random.default_rng(0)))
    check_figures("scores_images", found)


def test_baselines() -> None:
    scores = compare(*pair(), movie(3))
    found = {}
    for name, rows in scores.groupby("method"):
        found |= of_table(str(name), rows)
    check_figures("scores_baselines", found)


def test_intervals() -> None:
    values, groups = np.random.default_rng(0).gamma(2, size=12), list("aaabbbccdddd")
    found = {}
    for name, given in (("frames", None), ("groups", groups)):
        interval = bootstrap_interval(values, given, generator=np.random.default_rng(1))
        found |= {f"{name} {k}": getattr(interval, k) for k in ("mean", "low", "high")}
    check_figures("scores_intervals", found)


def walks() -> pd.DataFrame:
    """Return tracks of 12 objects that wander for 8 frames."""
    steps = np.random.default_rng(4).normal(0, 0.3, (12, 8, 2))
    steps[:, 0] = np.random.default_rng(5).uniform(1, 7, (12, 2))
    place = np.cumsum(steps, axis=1).reshape(-1, 2)
    ids, frames = np.repeat(np.arange(1, 13), 8), np.tile(np.arange(8), 12)
    return pd.DataFrame(
        {"track_id": ids, "frame": frames, "y_um": place[:, 0], "x_um": place[:, 1]}
    )


def test_labels() -> None:
    spots = movie(0) > 2
    true = np.stack([ndimage.label(frame)[0] for frame in spots])
    found = np.roll(true, 1, axis=1)
    found[:, :40] = np.where(found[:, :40] % 3 == 0, 0, found[:, :40])
    check_figures("scores_labels", of_table("labels", evaluate_labels(found, true)))


def test_tracks_and_events() -> None:
    rng, true = np.random.default_rng(0), walks()
    noise = rng.normal(0, 0.2, (len(true), 2))
    tracks = true.assign(y_um=true.y_um + noise[:, 0], x_um=true.x_um + noise[:, 1])
    tracks["track_id"] += 100 * (tracks.frame > 4)
    tracks = tracks[rng.uniform(size=len(tracks)) > 0.2]
    found = {f"tracks {k}": v for k, v in identity_scores(tracks, true).items()}
    events = true[true.frame == 5].assign(kind=["fission", "fusion"] * 6)
    late = events.assign(frame=rng.integers(3, 8, 12), y_um=events.y_um + rng.uniform(0, 0.8, 12))
    scores = event_scores(late[:10], events[2:])
    check_figures("scores_tracks", found | {f"events {k}": v for k, v in scores.items()})
