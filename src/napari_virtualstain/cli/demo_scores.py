"""Scores of a demo against the truth and beside simple methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from ..io import Stack
    from ..progress import CancelToken, ProgressCallback


@dataclass(frozen=True, slots=True)
class Demo:
    """The results of a demo and their truth.

    Attributes
    ----------
    bright_field, virtual, fluorescence, labels, true_labels : ndarray of shape (T, Y, X)
        Input, stain, true fluorescence, outlines and true outlines.
    tracks, true_tracks, events, true_events : DataFrame
        Identities and events.
    pixel_size_um, frame_interval_s : float
        Geometry.
    """

    bright_field: np.ndarray
    virtual: np.ndarray
    fluorescence: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    tracks: pd.DataFrame
    true_tracks: pd.DataFrame
    events: pd.DataFrame
    true_events: pd.DataFrame
    pixel_size_um: float
    frame_interval_s: float

    @classmethod
    def read(cls, folder: Path) -> Demo:
        """Return what a demo left in a folder."""
        from ..io import open_stack

        def image(name: str) -> tuple[np.ndarray, Stack]:
            stack = open_stack(folder / name)
            data = np.asarray(stack.data)
            return (data if data.ndim == 3 else data[None]), stack

        bright_field, stack = image("truth/bright_field.ome.tif")
        return cls(
            bright_field=bright_field,
            virtual=image("virtual_fluorescence.ome.tif")[0],
            fluorescence=image("truth/fluorescence.ome.tif")[0],
            labels=image("labels.ome.tif")[0],
            true_labels=image("truth/labels.ome.tif")[0],
            tracks=pd.read_csv(folder / "tracks.csv"),
            true_tracks=pd.read_csv(folder / "truth" / "tracks.csv"),
            events=pd.read_csv(folder / "events.csv"),
            true_events=pd.read_csv(folder / "truth" / "events.csv"),
            pixel_size_um=stack.pixel_size_um or 1.0,
            frame_interval_s=stack.frame_interval_s or 1.0,
        )


def score_demo(
    demo: Demo,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> pd.DataFrame:
    """Return one row per score: what, score, baseline, baseline_score.

    The stain's baseline is the better of bright-field and its local texture, gain and
    offset fitted to the truth; that of outlines and identities is Otsu's threshold with
    connected components on the same virtual image, tracked by the same tracker.
    """
    from ..metrics import compare
    from ..tracking import track

    stain = compare(
        demo.virtual,
        demo.fluorescence,
        demo.bright_field,
        pixel_size_um=demo.pixel_size_um,
        progress=progress,
        cancel=cancel,
    )
    means = stain.groupby("method")[["bandpass_pearson", "pearson", "ssim", "mask_iou"]].mean()
    otsu = otsu_labels(demo.virtual)
    scale: dict[str, Any] = {
        "pixel_size_um": demo.pixel_size_um,
        "frame_interval_s": demo.frame_interval_s,
    }
    simple = track(otsu, **scale, cancel=cancel).table
    rows = _stain_rows(means)
    rows += _outline_rows(_outlines(demo.labels, demo), _outlines(otsu, demo))
    rows += _identity_rows(_identities(demo.tracks, demo), _identities(simple, demo))
    return pd.DataFrame(rows)


_STAIN = {
    "bandpass_pearson": "Stain: band-pass Pearson (fine structure)",
    "pearson": "Stain: Pearson",
    "ssim": "Stain: SSIM",
    "mask_iou": "Stain: IoU of bright structures",
}


def _stain_rows(means: pd.DataFrame) -> list[dict[str, Any]]:
    scores: dict[Any, Any] = means.T.to_dict()
    ours = scores.pop("virtual stain")
    rows = []
    for name, what in _STAIN.items():
        known = {rival: of[name] for rival, of in scores.items() if not np.isnan(of[name])}
        best = max(known, key=known.__getitem__, default="none")
        rows.append(_row(what, ours[name], best, known.get(best, float("nan"))))
    return rows


def _outline_rows(ours: Mapping[str, float], simple: Mapping[str, float]) -> list[dict[str, Any]]:
    names = {"f1": "Outlines: F1 of mitochondria at IoU 0.5", "iou": "Outlines: IoU of all pixels"}
    return [_row(what, ours[n], "Otsu threshold", simple[n]) for n, what in names.items()]


def _identity_rows(ours: Mapping[str, float], simple: Mapping[str, float]) -> list[dict[str, Any]]:
    return [_row("Tracks: IDF1 (identity kept)", ours["idf1"], "Otsu threshold", simple["idf1"])]


def _row(what: str, score: float, baseline: str, baseline_score: float) -> dict[str, Any]:
    return {"what": what, "score": score, "baseline": baseline, "baseline_score": baseline_score}


def _outlines(labels: np.ndarray, demo: Demo) -> dict[str, float]:
    from ..metrics import evaluate_labels

    table = evaluate_labels(labels, demo.true_labels)
    inside, truth = labels > 0, demo.true_labels > 0
    union = (inside | truth).sum()
    return {
        "f1": float(table["f1"].mean()),
        "iou": float((inside & truth).sum() / union) if union else float("nan"),
    }


def _identities(tracks: pd.DataFrame, demo: Demo) -> dict[str, float]:
    from ..metrics import identity_scores

    return identity_scores(tracks, demo.true_tracks)


def otsu_labels(movie: np.ndarray, smallest_px: int = 8) -> np.ndarray:
    """Return connected components above Otsu's threshold of each frame, shape (T, Y, X)."""
    from scipy import ndimage

    from ..metrics import otsu_mask

    labels = np.zeros(movie.shape, np.int32)
    for frame, image in zip(labels, movie, strict=True):
        found, _ = ndimage.label(np.asarray(otsu_mask(image)))
        sizes = np.bincount(found.ravel())
        kept = np.cumsum(sizes >= smallest_px) - 1
        frame[...] = np.where(sizes[found] >= smallest_px, kept[found], 0) * (found > 0)
    return labels
