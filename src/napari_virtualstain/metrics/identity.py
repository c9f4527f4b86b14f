"""Identity scores of tracks against true tracks.

IDF1 and identity switches as TrackEval computes them, without needing it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ..axes import check_positive
from ..errors import InputError

NEEDED = ("track_id", "frame", "y_um", "x_um")
EVENTS_NEED = ("kind", "frame", "y_um", "x_um")
# how much a match of the frame before outweighs any nearer candidate
_KEEP = 1000.0

Distances = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Clear:
    """Counts of the CLEAR MOT scores, frame after frame (Bernardin & Stiefelhagen 2008)."""

    last: dict[int, int] = field(default_factory=dict)
    previous: dict[int, int] = field(default_factory=dict)
    found: int = 0
    switches: int = 0

    def count(self, truth: npt.NDArray[Any], tracks: npt.NDArray[Any], near: Distances) -> None:
        """Match one frame, keeping the matches of the frame before where they still hold."""
        before = np.array([self.previous.get(int(t), -1) for t in truth], np.int64)
        kept = before[:, None] == tracks[None, :]
        weight = np.where(near >= 0.5, near + _KEEP * kept, 0.0)
        rows, columns = linear_sum_assignment(weight, maximize=True)
        good = weight[rows, columns] > 0
        self.previous = {
            int(truth[r]): int(tracks[c]) for r, c in zip(rows[good], columns[good], strict=True)
        }
        self.found += len(self.previous)
        self.switches += sum(self.last.get(t, p) != p for t, p in self.previous.items())
        self.last |= self.previous


def identity_scores(
    predicted: pd.DataFrame, reference: pd.DataFrame, *, search_radius_um: float = 0.5
) -> dict[str, float]:
    """Return how well tracks keep the identity of the true ones.

    Parameters
    ----------
    predicted, reference : DataFrame
        Columns ``track_id frame y_um x_um``, one row per object and frame.
    search_radius_um : float
        A tracked position counts as the true one up to this distance, micrometres.

    Returns
    -------
    dict
        ``idf1``, ``id_precision``, ``id_recall``: of the best one-to-one assignment of whole
        tracks (Ristani et al. 2016); ``mota``, ``id_switches``, ``detection_precision``,
        ``detection_recall``: of the best assignment in each frame; ``predicted_tracks``,
        ``reference_tracks``. NaN where both are empty.

    Raises
    ------
    InputError
        A column is missing, one track is twice in a frame, or a position is not finite.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"track_id": 1, "frame": range(4), "y_um": 0.0, "x_um": 0.0})
    >>> broken = truth.assign(track_id=[1, 1, 1, 2])
    >>> scores = identity_scores(broken, truth)
    >>> scores["idf1"], scores["id_switches"]
    (0.75, 1.0)
    """
    radius = check_positive(search_radius_um, "search radius", "µm") or 1.0
    for table, name in ((predicted, "predicted"), (reference, "reference")):
        _check_tracks(table, name)
    ids = [pd.unique(table["track_id"]) for table in (reference, predicted)]
    shared = np.zeros((len(ids[0]), len(ids[1])))
    clear = _Clear()
    for truth, tracks in _frames(reference, predicted):
        near = 1 - cdist(truth[["y_um", "x_um"]], tracks[["y_um", "x_um"]]) / (2 * radius)
        numbers = [
            pd.Index(known).get_indexer(pd.Index(table["track_id"]))
            for known, table in zip(ids, (truth, tracks), strict=True)
        ]
        shared[np.ix_(*numbers)] += near >= 0.5
        clear.count(numbers[0], numbers[1], near)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    kept, total, given = float(shared[rows, columns].sum()), len(reference), len(predicted)
    return {
        "idf1": _ratio(2 * kept, total + given),
        "id_precision": _ratio(kept, given),
        "id_recall": _ratio(kept, total),
        "mota": _ratio(2 * clear.found - given - clear.switches, total),
        "id_switches": float(clear.switches),
        "detection_precision": _ratio(clear.found, given),
        "detection_recall": _ratio(clear.found, total),
        "predicted_tracks": float(len(ids[1])),
        "reference_tracks": float(len(ids[0])),
    }


def event_scores(
    predicted: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    search_radius_um: float = 1.0,
    frame_tolerance: int = 2,
) -> dict[str, float]:
    """Return precision, recall and F1 of fission and fusion events.

    Parameters
    ----------
    predicted, reference : DataFrame
        Columns ``kind frame y_um x_um``, one row an event.
    search_radius_um : float
        How far apart an event and its true one may lie, micrometres.
    frame_tolerance : int
        And how many frames.

    Returns
    -------
    dict
        ``<kind>_precision``, ``<kind>_recall``, ``<kind>_f1`` and ``<kind>_count`` (true ones)
        of each kind; NaN where there is nothing to find or nothing was found.

    Raises
    ------
    InputError
        A column is missing, or the radius or the tolerance is impossible.

    Notes
    -----
    Events are matched one to one: each match counts for more, the nearer it is.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"kind": ["fission"], "frame": [3], "y_um": [1.0], "x_um": [1.0]})
    >>> event_scores(truth.assign(frame=4), truth)["fission_f1"]
    1.0
    """
    radius = check_positive(search_radius_um, "search radius", "µm") or 1.0
    if frame_tolerance < 0:
        raise InputError(f"The tolerance is {frame_tolerance} frames: expected 0 or more.")
    for table, name in ((predicted, "predicted"), (reference, "reference")):
        _check_columns(table, f"{name} events", EVENTS_NEED)
    scores: dict[str, float] = {}
    for kind in ("fission", "fusion"):
        found, true = (table[table["kind"] == kind] for table in (predicted, reference))
        apart = cdist(found[["y_um", "x_um"]], true[["y_um", "x_um"]]) / radius
        late = np.abs(found["frame"].to_numpy()[:, None] - true["frame"].to_numpy()[None, :])
        weight = np.where((apart <= 1) & (late <= frame_tolerance), 2 - apart, 0.0)
        hits = int((weight[linear_sum_assignment(weight, maximize=True)] > 0).sum())
        scores |= {
            f"{kind}_precision": _ratio(hits, len(found)),
            f"{kind}_recall": _ratio(hits, len(true)),
            f"{kind}_f1": _ratio(2 * hits, len(found) + len(true)),
            f"{kind}_count": float(len(true)),
        }
    return scores


def _check_columns(table: pd.DataFrame, name: str, needed: tuple[str, ...]) -> None:
    missing = [column for column in needed if column not in table]
    if missing:
        raise InputError(
            f"The {name} lack {', '.join(missing)}: expected the columns "
            f"{', '.join(needed)}; given {', '.join(map(str, table.columns)) or 'none'}."
        )


def _check_tracks(table: pd.DataFrame, name: str) -> None:
    _check_columns(table, f"{name} tracks", NEEDED)
    if not np.isfinite(table[list(NEEDED)].to_numpy(dtype=float)).all():
        raise InputError(f"The {name} tracks hold NaN or infinity: expected finite numbers.")
    twice = table[table.duplicated(["track_id", "frame"])]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"Track {row['track_id']:g} of the {name} tracks is twice in frame {row['frame']:g}: "
            "expected one row per track and frame."
        )


def _frames(
    reference: pd.DataFrame, predicted: pd.DataFrame
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Return true and predicted rows of each frame, empty where one has none."""
    truth: dict[Any, pd.DataFrame] = dict(list(reference.groupby("frame")))
    tracks: dict[Any, pd.DataFrame] = dict(list(predicted.groupby("frame")))
    return [
        (truth.get(frame, reference.iloc[:0]), tracks.get(frame, predicted.iloc[:0]))
        for frame in sorted(truth.keys() | tracks.keys())
    ]


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
