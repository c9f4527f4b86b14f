"""Values of tracks for the plots: over time, as displacement, and as distributions; without Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ....tracking import EditableTracks
from ..mask_book import MaskBook
from ..summary_rows import Scale

QUANTITIES = {
    "speed": "speed",
    "position": "position",
    "area": "area",
    "length": "length",
    "aspect": "aspect ratio",
    "intensity": "mean intensity",
    "quality": "link quality",
    "trust": "trust",
    "msd": "squared displacement",
    "distribution": "distribution over all tracks",
}
_HALF = 60
_MOST_TRACKS = 500


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one curve.

    Attributes
    ----------
    x, y : ndarray
        In the units of the axes.
    frames : ndarray of int or None
        Frame of each point, None where the points are no frames.
    name : str
        For the legend.
    """

    x: np.ndarray
    y: np.ndarray
    frames: np.ndarray | None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """Diffusion fitted to mean squared displacements, ``MSD = 4 D τ^α``.

    Attributes
    ----------
    diffusion : float
        D, squared length a time to the power of α.
    exponent : float
        α: 1 for diffusion, more for directed, less for confined motion.
    """

    diffusion: float
    exponent: float

    def text(self, scale: Scale) -> str:
        """Return both with their units."""
        length, time = scale.length_unit, scale.time_unit
        return f"D = {self.diffusion:.3g} {length}²/{time}^α, α = {self.exponent:.2f}"

    def values(self, lag: np.ndarray) -> np.ndarray:
        """Return the fitted displacement."""
        result: np.ndarray = 4 * self.diffusion * lag**self.exponent
        return result


def axis_texts(kind: str, scale: Scale) -> tuple[str, str]:
    """Return what stands at the horizontal and the vertical axis.

    Examples
    --------
    >>> axis_texts("speed", Scale(0.08, 2.0)), axis_texts("area", Scale(None, None))
    (('time (s)', 'speed (µm/s)'), ('frame', 'area (px²)'))
    """
    length, time = scale.length_unit, scale.time_unit
    units = {"speed": f"{length}/{time}", "position": length, "area": f"{length}²"}
    units |= {"length": length, "msd": f"{length}²"}
    over = "time (s)" if scale.frame_interval_s else "frame"
    if kind == "msd":
        over = f"lag ({time})"
    unit = units.get(kind)
    return over, f"{QUANTITIES[kind]} ({unit})" if unit else QUANTITIES[kind]


def curves(
    tracks: EditableTracks, track_id: int, kind: str, scale: Scale, masks: MaskBook | None
) -> list[Curve]:
    """Return the curves of a track over time; none where the tracks do not hold the quantity.

    Examples
    --------
    >>> rows = pd.DataFrame({"track_id": 1, "frame": [0, 2], "y_px": 0.0, "x_px": [0.0, 10.0]})
    >>> curves(EditableTracks(rows), 1, "speed", Scale(0.1, 1.0), None)[0].y.tolist()
    [0.5]
    """
    rows = tracks.rows_of(track_id)
    frames = tracks["frame"][rows]
    times = frames * scale.per_frame
    if kind == "speed":
        step = np.hypot(np.diff(tracks["y_px"][rows]), np.diff(tracks["x_px"][rows]))
        speed = step * scale.per_pixel / np.diff(times) if len(rows) > 1 else step
        return [Curve(times[1:], speed, frames[1:], str(track_id))]
    if kind == "position":
        return [
            Curve(times, tracks[f"{axis}_px"][rows] * scale.per_pixel, frames, f"{track_id} {axis}")
            for axis in ("y", "x")
        ]
    if kind in ("length", "aspect"):
        values = _shape(tracks, rows, kind, scale, masks)
    else:
        column = {"area": "area_um2"}.get(kind, kind)
        values = tracks[column][rows].astype(float) if column in tracks.columns else None
    if values is None or not np.isfinite(values).any():
        return []
    return [Curve(times, values, frames, str(track_id))]


def displacement(tracks: EditableTracks, track_ids: list[int], scale: Scale) -> pd.DataFrame:
    """Return the mean squared displacement of pooled tracks, for lags up to a third of them.

    Returns
    -------
    DataFrame
        ``lag msd pairs`` in the units that `scale` knows. Of many tracks an even sample counts.
    """
    ids = track_ids[:: max(1, len(track_ids) // _MOST_TRACKS)]
    sums: dict[int, float] = {}
    pairs: dict[int, int] = {}
    for track_id in ids:
        rows = tracks.rows_of(track_id)
        if "interpolated" in tracks.columns:
            rows = rows[~tracks["interpolated"][rows].astype(bool)]
        frames = tracks["frame"][rows]
        place = np.column_stack([tracks["y_px"][rows], tracks["x_px"][rows]])
        for lag in range(1, max(1, len(rows) // 3) + 1):
            later = np.searchsorted(frames, frames + lag)
            there = (later < len(frames)) & (
                frames[np.minimum(later, len(frames) - 1)] == frames + lag
            )
            if there.any():
                away = place[later[there]] - place[there]
                sums[lag] = sums.get(lag, 0.0) + float((away**2).sum())
                pairs[lag] = pairs.get(lag, 0) + int(there.sum())
    lags = np.array(sorted(sums), int)
    msd = np.array([sums[lag] / pairs[lag] for lag in lags]) * scale.per_pixel**2
    counts = np.array([pairs[lag] for lag in lags], int)
    return pd.DataFrame({"lag": lags * scale.per_frame, "msd": msd, "pairs": counts})


def fit_diffusion(table: pd.DataFrame) -> Fit | None:
    """Return the fit of ``MSD = 4 D τ^α``, or None for fewer than two lags.

    A straight line through the logarithms, each lag weighted by its pairs over its lag.

    Examples
    --------
    >>> fit = fit_diffusion(pd.DataFrame({"lag": [1.0, 2.0], "msd": [4.0, 8.0], "pairs": 1}))
    >>> round(fit.diffusion, 6), round(fit.exponent, 6)
    (1.0, 1.0)
    """
    good = table[(table["msd"] > 0) & (table["lag"] > 0)]
    if len(good) < 2:
        return None
    weights = np.sqrt((good["pairs"] / good["lag"]).to_numpy(float))
    exponent, level = np.polyfit(np.log(good["lag"]), np.log(good["msd"]), 1, w=weights)
    return Fit(float(np.exp(level)) / 4, float(exponent))


def event_frames(tracks: EditableTracks, track_id: int) -> list[tuple[int, str]]:
    """Return frame and kind of what begins and ends a track."""
    found = []
    begins, ends = tracks.extent(track_id)
    if of := tracks.parents.get(track_id):
        found.append((begins, "fusion" if len(of) > 1 else "fission"))
    if children := tracks.children(track_id):
        found.append((ends, "fission" if len(children) > 1 else "fusion"))
    return found


def _shape(
    tracks: EditableTracks, rows: np.ndarray, kind: str, scale: Scale, masks: MaskBook | None
) -> np.ndarray | None:
    """Return length or aspect ratio of each row, from the masks or else from the boxes."""
    if masks is not None:
        found = [_axes(masks.mask(tracks, int(row), _HALF)) for row in rows]
        long, short = np.array(found).T
        return np.asarray(long * scale.per_pixel if kind == "length" else long / short)
    if not {"height_um", "width_um"} <= set(tracks.columns):
        return None
    size = np.column_stack([tracks["height_um"][rows], tracks["width_um"][rows]]).astype(float)
    if kind == "length":
        diagonal: np.ndarray = np.hypot(size[:, 0], size[:, 1])
        return diagonal
    ratio: np.ndarray = size.max(axis=1) / np.maximum(size.min(axis=1), 1e-9)
    return ratio


def _axes(mask: np.ndarray | None) -> tuple[float, float]:
    """Return the long and the short axis of the ellipse with the moments of a mask, pixels."""
    if mask is None or not mask.any():
        return np.nan, np.nan
    places = np.argwhere(mask).astype(float)
    spread = np.cov(places.T, bias=True) if len(places) > 1 else np.zeros((2, 2))
    # a pixel has an extent of its own
    values = np.linalg.eigvalsh(spread + np.eye(2) / 12)
    short, long = 4 * np.sqrt(values)
    return float(long), float(short)
