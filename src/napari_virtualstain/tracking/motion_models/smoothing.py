"""Gap filling: positions in missed frames by Rauch-Tung-Striebel smoothing.

Linear prediction, as the paper fills gaps, knows only the past and drifts away. The
Rauch-Tung-Striebel smoother uses the detections before and after: a straight line for
an object that diffuses, a curve that keeps the velocity for one that is driven.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...settings import GapTuning
from ..detections import FloatArray, IntArray
from . import kalman

_OBSERVATION = np.array([[1.0, 0.0]])


def fill_gaps(
    table: pd.DataFrame, frame_step: int = 1, tuning: GapTuning | None = None
) -> pd.DataFrame:
    """Return `table` with a row, marked ``interpolated``, for each frame that a track misses.

    Parameters
    ----------
    table : DataFrame
        ``track_id frame y_um x_um`` and any other columns; positions are smoothed over
        some detections on either side of the gap, never changed where something was seen.
    frame_step : int
        Frames between two looks; those between, which nobody took, are not missing.
    tuning : GapTuning, optional
        Detections aside, and what is believed of the motion between.
    """
    ordered = table.sort_values(["track_id", "frame"], kind="stable").reset_index(drop=True)
    name, frame = ordered.track_id.to_numpy(), ordered.frame.to_numpy() // frame_step
    missing = np.where(name[1:] == name[:-1], frame[1:] - frame[:-1] - 1, 0)
    gaps = np.flatnonzero(missing)
    if not len(gaps):
        return ordered
    place = ordered[["y_um", "x_um"]].to_numpy(np.float64)
    count = missing[gaps]
    before = np.repeat(gaps, count)
    offset = np.arange(len(before)) - np.repeat(np.cumsum(count) - count, count) + 1
    rows = ordered.iloc[before].reset_index(drop=True)
    rows[["y_um", "x_um"]] = _bridge(name, frame, place, gaps, tuning or GapTuning())
    rows["frame"] += offset * frame_step
    rows["interpolated"] = True
    for column, value in (("label", 0), ("area_um2", np.nan), ("fragments", "")):
        if column in rows:
            rows[column] = value
    for column in ("quality", "reason"):
        if column in rows:
            rows[column] = ordered[column].to_numpy()[before + 1]
    return pd.concat([ordered, rows], ignore_index=True)


def _bridge(
    name: IntArray, frame: IntArray, place: FloatArray, gaps: IntArray, tuning: GapTuning
) -> FloatArray:
    """Return the positions in all gaps, one after the other, shape (sum of missing, 2)."""
    side = tuning.side_detections
    index = gaps[:, None] + np.arange(1 - side, side + 1)
    inside = (index >= 0) & (index < len(name))
    index = index.clip(0, len(name) - 1)
    valid = inside & (name[index] == name[gaps][:, None])
    when = frame[index] - frame[gaps][:, None]
    near = valid & (np.abs(when) <= 3 * side)
    first, last = np.where(near, when, 0).min(), np.where(near, when, 0).max()
    times = np.arange(first, last + 1)
    seen = np.zeros((len(times), len(gaps)), bool)
    value = np.zeros((len(times), len(gaps), 2))
    gap, slot = np.nonzero(near)
    seen[when[gap, slot] - first, gap] = True
    value[when[gap, slot] - first, gap] = place[index[gap, slot]]
    smoothed = _smoothed(seen, value, place[gaps], tuning)
    end = frame[gaps + 1] - frame[gaps]
    wanted = (times[None, :] > 0) & (times[None, :] < end[:, None])
    return np.asarray(smoothed.transpose(1, 0, 2)[wanted])


def _smoothed(
    seen: np.ndarray, value: FloatArray, origin: FloatArray, tuning: GapTuning
) -> FloatArray:
    """Return positions at all times of objects that are `seen` at some, shape (T, N, 2)."""
    both = seen[1:] & seen[:-1]
    steps = np.where(both[..., None], value[1:] - value[:-1], 0.0)
    pairs = both[1:] & both[:-1]
    product = np.where(pairs, (steps[1:] * steps[:-1]).sum(-1), 0.0).sum(0)
    power = np.where(pairs, (steps[1:] ** 2 + steps[:-1] ** 2).sum(-1) / 2, 0.0).sum(0)
    share = product / np.maximum(power, 1e-300)
    # shrunk towards diffusion, as a handful of steps says little
    seen_pairs = pairs.sum(0)
    persistence = np.clip(share, 0, tuning.largest_persistence) * seen_pairs
    persistence /= seen_pairs + tuning.diffusion_weight
    count = len(origin)
    transition = np.zeros((count, 2, 2))
    transition[:, 0, 0] = 1.0
    transition[:, 0, 1] = transition[:, 1, 1] = persistence
    noise = np.ones((2, 2)) + 1e-9 * np.eye(2)
    error = np.array([[tuning.position_variance]])
    results = []
    for axis in (0, 1):
        mean = np.zeros((count, 2))
        covariance = np.tile(np.diag([1e4, 2.0]), (count, 1, 1))
        scale = np.sqrt(np.maximum(power / np.maximum(2 * pairs.sum(0), 1), 1e-300))
        units = np.where(pairs.any(0), scale, 1.0)
        measured = (value[..., axis] - origin[:, axis]) / units
        results.append(
            _filter_and_smooth(seen, measured, mean, covariance, transition, noise, error) * units
            + origin[:, axis]
        )
    return np.stack(results, axis=-1)


def _filter_and_smooth(
    seen: np.ndarray,
    measured: FloatArray,
    mean: FloatArray,
    covariance: FloatArray,
    transition: FloatArray,
    noise: FloatArray,
    error: FloatArray,
) -> FloatArray:
    means, covariances = [], []
    for t in range(len(seen)):
        if t:
            mean, covariance = kalman.predict(mean, covariance, transition, noise)
        here = seen[t]
        if here.any():
            mean, covariance = mean.copy(), covariance.copy()
            mean[here], covariance[here] = kalman.update(
                mean[here], covariance[here], measured[t, here, None], _OBSERVATION, error
            )
        means.append(mean)
        covariances.append(covariance)
    smoothed, _ = kalman.smooth(np.stack(means), np.stack(covariances), transition, noise)
    return np.asarray(smoothed[..., 0])
