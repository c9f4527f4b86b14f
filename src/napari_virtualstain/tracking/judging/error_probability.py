"""Calibrated probability that a track of any program has an error.

Two logistic regressions on simulated movies of known truth: one for links, on the evidence against
a link (:mod:`.link_evidence`), and one for tracks, on all links of a track. Positions, positions
whose linker states a quality, and masks have regressions of their own. ``recipes/track_errors.py``
fits them, ``benchmarks/track_errors.py`` judges them on other movies. An error is a link between
detections of different objects.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from .link_evidence import FEATURES, FloatArray, Links, link_evidence

# fewer links do not show how far objects of the movie go in a frame
LEAST_LINKS = 10
_SURE = 1e-6


@dataclass(frozen=True, slots=True)
class TrackErrors:
    """Error probabilities of links and tracks.

    Attributes
    ----------
    links : ndarray of shape (n,)
        Of each row of the table: the probability that the link which leads to it is wrong; NaN
        for the first row of a track, for interpolated rows, and where nothing can be judged.
    tracks : DataFrame
        Indexed by ``track_id``: ``error_probability``, NaN where nothing can be judged, and
        ``doubtful_frame``, the frame that the most doubtful link leads to (-1 if not judged).
    """

    links: FloatArray
    tracks: pd.DataFrame


def judge_errors(table: pd.DataFrame, *, pixel_size_um: float = 1.0) -> TrackErrors:
    """Return the probability of an error in each track, and of each link to be wrong.

    Parameters
    ----------
    table : DataFrame
        ``track_id frame`` and ``y_um x_um`` or ``y_px x_px``; ``area_um2``, ``intensity``,
        ``quality`` and ``interpolated`` are used where they are there. Rows in any order.
    pixel_size_um : float
        Scale of positions that are in pixels.

    Returns
    -------
    TrackErrors
        Tracks of one detection, and all tracks of a movie with fewer than ten links, are not
        judged (NaN).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> place = np.cumsum(rng.normal(0, 0.1, (20, 9, 2)), axis=1) + rng.uniform(0, 50, (20, 1, 2))
    >>> table = pd.DataFrame({"track_id": np.repeat(np.arange(20), 9),
    ...                       "frame": np.tile(np.arange(9), 20)})
    >>> table[["y_um", "x_um"]] = place.reshape(-1, 2)
    >>> bool((judge_errors(table).tracks.error_probability < 0.1).all())
    True
    """
    links = link_evidence(table, pixel_size_um)
    track_ids = np.unique(table["track_id"].to_numpy(np.int64))
    wrong = np.full(len(table), np.nan)
    tracks = pd.DataFrame(
        {"error_probability": np.nan, "doubtful_frame": -1},
        index=pd.Index(track_ids, name="track_id"),
    )
    if len(links.source) < LEAST_LINKS:
        return TrackErrors(wrong, tracks)
    kinds = _kinds(table, links)
    odds = np.zeros(len(links.target))
    for kind in np.unique(kinds):
        here = kinds == kind
        odds[here] = _odds(kind, _regressors(table, links, kind)[here])
    # an object cannot be in two places: a second row in one frame is an error for sure
    odds[links.repeated] = logit(1 - _SURE)
    wrong[links.target] = expit(odds)
    joined = combined(table["track_id"].to_numpy(np.int64)[links.target], odds)
    place = np.searchsorted(track_ids, joined.index.to_numpy())
    chance = np.zeros(len(joined))
    of_worst = kinds[joined.worst.to_numpy()]
    for kind in np.unique(of_worst):
        here = of_worst == kind
        chance[here] = _track_probability(kind, joined[here])
    frame = np.full(len(track_ids), -1)
    frame[place] = table["frame"].to_numpy(np.int64)[links.target[joined.worst.to_numpy()]]
    value = np.full(len(track_ids), np.nan)
    value[place] = chance
    return TrackErrors(wrong, tracks.assign(error_probability=value, doubtful_frame=frame))


def link_regressors(table: pd.DataFrame, kind: str) -> tuple[Links, FloatArray]:
    """Return the links of `table` and what the model `kind` knows of each, for fitting."""
    links = link_evidence(table)
    return links, _regressors(table, links, kind)


def evidence_basis(features: FloatArray) -> FloatArray:
    """Return the regressors of evidence (L, F), with bends and products, shape (L, B)."""
    f = dict(zip(FEATURES, features.T, strict=True))
    swap, short, crowd, reach = f["swap"], f["short"], f["crowding"], f["reach"]
    contact, turnover = f["contact"], f["turnover"]
    return np.column_stack(
        [
            swap,
            np.minimum(swap, 0),
            np.clip(swap, 0, 4),
            np.clip(swap, 4, 12),
            np.minimum(f["end"], 12),
            np.minimum(f["end"], 2),
            f["surprise"],
            np.minimum(f["surprise"], 3),
            f["next_surprise"],
            crowd,
            np.maximum(crowd + 3, 0),
            reach,
            np.maximum(reach + 3, 0),
            f["gap"],
            f["gap"] > 0,
            f["appearance"],
            np.minimum(f["appearance"], 4),
            short,
            f["outermost"],
            short * np.minimum(f["surprise"], 3),
            short * crowd,
            f["surprise"] * np.maximum(crowd + 6, 0),
            short * reach,
            contact,
            np.maximum(contact - 0.7, 0),
            turnover,
            turnover > 0,
            turnover * (contact > 0.5),
            f["resized"],
            np.maximum(f["resized"] - 0.4, 0),
            f["merged"],
            f["merged"] > 0.2,
            f["restless"],
            f["gappy"],
            f["unsteady"],
        ]
    )


def combined(track: np.ndarray, odds: FloatArray) -> pd.DataFrame:
    """Return regressors of each track from the log odds of its links.

    Parameters
    ----------
    track, odds : ndarray of shape (L,)
        Track of each link, and its log odds to be wrong.

    Returns
    -------
    DataFrame
        Indexed by track: ``any`` (log odds that any link is wrong, were they independent),
        ``most`` (log odds of the most doubtful one), ``length`` (log of their number), ``worst``
        (its place).
    """
    track_ids, inverse, counts = np.unique(track, return_inverse=True, return_counts=True)
    right = np.bincount(inverse, np.log1p(-np.clip(expit(odds), 0, 0.9999)), len(track_ids))
    order = np.lexsort((odds, inverse))
    worst = order[np.cumsum(counts) - 1]
    any_wrong = np.clip(-np.expm1(right), _SURE, 1 - _SURE)
    return pd.DataFrame(
        {
            "any": logit(any_wrong),
            "most": np.clip(odds[worst], logit(_SURE), -logit(_SURE)),
            "length": np.log(counts),
            "worst": worst,
        },
        index=pd.Index(track_ids, name="track_id"),
    )


def _kinds(table: pd.DataFrame, links: Links) -> np.ndarray:
    """Return the model of each link: ``masks`` where areas are known, else by its quality."""
    masked = links.features[:, FEATURES.index("masked")] > 0
    rated = np.isfinite(_quality(table, links))
    return np.where(masked, "masks", np.where(rated, "quality", "positions"))


def _regressors(table: pd.DataFrame, links: Links, kind: str) -> FloatArray:
    basis = evidence_basis(links.features)
    if kind != "quality":
        return basis
    return np.column_stack([basis, logit(np.clip(_quality(table, links), 0.001, 0.999))])


def _quality(table: pd.DataFrame, links: Links) -> FloatArray:
    """Return the linker's quality of each link, NaN where it says nothing."""
    if "quality" not in table:
        return np.full(len(links.target), np.nan)
    quality = table["quality"].to_numpy(np.float64)[links.target]
    inside = (quality >= 0) & (quality <= 1)
    if not inside.any() or np.ptp(quality[inside]) == 0:  # a constant is a placeholder
        return np.full(len(quality), np.nan)
    return np.where(inside, quality, np.nan)


@cache
def _model() -> dict[str, Any]:
    text = Path(__file__).with_name("error_probability.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def _odds(kind: str, basis: FloatArray) -> FloatArray:
    weights = _model()[kind]["link"]
    return np.asarray(basis @ np.array(weights[1:]) + weights[0])


def _track_probability(kind: str, joined: pd.DataFrame) -> FloatArray:
    weights = _model()[kind]["track"]
    known = joined[["any", "most", "length"]].to_numpy(np.float64)
    return np.asarray(expit(known @ np.array(weights[1:]) + weights[0]))
