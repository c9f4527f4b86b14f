"""Conversion of a Tracks layer into the tables of the inspector; runs in a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...tracking import EditableTracks, editing, track_rows
from ..layers.description import sampling_of
from .summary_rows import Scale, summarise

POSITION = ["y_px", "x_px"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Tracks with their summary.

    Attributes
    ----------
    tracks : EditableTracks
        The tracks.
    table : DataFrame
        One row per track, not judged yet.
    rows : DataFrame
        One row per track and frame, to be judged.
    scale : Scale
        Sampling.
    movie : dict
        What identifies the movie, for the log.
    notes : tuple of str
        What a person should know.
    """

    tracks: EditableTracks
    table: pd.DataFrame
    rows: pd.DataFrame
    scale: Scale
    movie: dict[str, Any]
    notes: tuple[str, ...] = ()


def load(
    data: np.ndarray,
    features: pd.DataFrame,
    graph: dict[int, Any],
    core: Any,
    scale: Scale,
    movie: Any,
    check: Callable[[], None],
) -> Loaded:
    """Return the tracks of a layer.

    Parameters
    ----------
    data, features, graph
        Of the layer.
    core : Tracks or None
        The result that the layer was made from; it knows reasons and events.
    scale : Scale
        Sampling.
    movie : array or None
        The movie that was tracked.
    check : callable
        Raises when the job was cancelled.
    """
    rows = track_rows(data, features)
    if data.shape[1] == 5:
        rows.insert(2, "z_px", data[:, 2])
    if core is not None and len(core.table) == len(rows):
        for name in ("reason", "fragments"):
            if name in core.table:
                rows[name] = core.table[name].to_numpy()
    notes = _notes(data, rows)
    rows = rows.drop_duplicates(["track_id", "frame"]) if notes else rows
    known = set(rows["track_id"])
    parents = {int(c): [int(p) for p in np.atleast_1d(of)] for c, of in graph.items()}
    parents = {c: [p for p in of if p in known] for c, of in parents.items() if c in known}
    speed = scale.per_pixel / scale.per_frame
    events = None if core is None else core.events
    tracks = EditableTracks(rows.reset_index(drop=True), parents, events, um_per_s=speed)
    check()
    table = summarise(rows, tracks, scale)
    check()
    if movie is not None:
        identity = editing.movie_identity(movie)
    else:
        identity = {"shape": None, "sha256": None}
    return Loaded(tracks, table, rows, scale, identity, notes)


def scale_of(layer: Any) -> Scale:
    """Return the sampling that a layer states, None for what it does not."""
    stated = sampling_of(layer)
    return Scale(stated.pixel_size_um, stated.frame_interval_s)


def _notes(data: np.ndarray, rows: pd.DataFrame) -> tuple[str, ...]:
    twice = rows.duplicated(["track_id", "frame"])
    if not twice.any():
        return ()
    first, count = rows[twice].iloc[0], int(twice.sum())
    return (
        f"Track {int(first['track_id'])} is in frame {int(first['frame'])} twice; {count} such "
        "rows in all. Only the first of each is listed, and kept when you edit.",
    )


def why_not_whole(layer: Any) -> str | None:
    """Return why the times of a Tracks layer are no frames, or None."""
    times = np.asarray(layer.data)[:, 1]
    if not np.array_equal(times, np.round(times)):
        return (
            f"The times of {layer.name!r} are no whole frames ({times[times % 1 != 0][0]:g}). "
            "Divide them by the frame interval, and give that as the layer's scale."
        )
    return None
