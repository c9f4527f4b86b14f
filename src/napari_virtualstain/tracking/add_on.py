"""Tracker add-on of another package, in the place of the own linkers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import ModelError
from ..hooks import trackers
from .tracks import Tracks


def tracks_of_add_on(
    name: str,
    labels: Any,
    intensity: Any | None = None,
    *,
    pixel_size_um: float = 1.0,
    frame_interval_s: float = 1.0,
) -> Tracks:
    """Return the tracks that a tracker add-on finds.

    Parameters
    ----------
    name : str
        As its package calls it.
    labels : array of int, shape (T, Y, X)
        One value per object in each frame.
    intensity : array of the shape of `labels`, optional
        Fluorescence of the same frames.
    pixel_size_um, frame_interval_s : float
        Scale of the movie.

    Raises
    ------
    ModelError
        The add-on failed, or returned no table of tracks.

    Examples
    --------
    >>> tracks_of_add_on("some add-on", np.zeros((2, 4, 4), int))  # doctest: +SKIP
    """
    scale = {"pixel_size_um": pixel_size_um, "frame_interval_s": frame_interval_s}
    brightness = None if intensity is None else np.asarray(intensity)
    try:
        tracker = trackers()[name]()
        table = pd.DataFrame(tracker(np.asarray(labels), intensity=brightness, **scale))
        parents: dict[int, list[int]] = {}
        if "parent" in table:
            # 0, -1 and NaN stand for no parent where they are no track
            known = table.loc[table["parent"].isin(table["track_id"]), ["track_id", "parent"]]
            parents = {int(child): [int(parent)] for child, parent in known.to_numpy(float)}
        return Tracks.from_table(
            table, parents, pixel_size_um=pixel_size_um, frame_interval_s=frame_interval_s
        )
    except Exception as error:  # a stranger's code may raise anything
        raise ModelError(
            f"The add-on {name!r} failed ({error!r}). Tell its authors, or choose another linker."
        ) from error
