"""Doubt about tracks of frames that do not follow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .tracks import Tracks

# simulated mitochondria step a sixteenth of their diameter, those of unlike places four and more
_LONGEST_USUAL_STEP = 1.0
_FEWEST_STEPS = 10


def doubt_about(tracks: Tracks) -> str:
    """Return a sentence where mitochondria step farther than they are wide, else nothing.

    Half of the steps between neighbouring frames then lead to where nothing overlaps: the frames
    are too far apart in time, or show different places, and a tracker can only guess.

    Examples
    --------
    >>> import pandas as pd
    >>> from napari_virtualstain.tracking import link
    >>> frames = pd.DataFrame({"frame": range(12), "y_um": 0.0, "x_um": 0.1, "area_um2": 1.0})
    >>> doubt_about(link(frames, search_radius_um=1.0))
    ''
    """
    table = tracks.table
    if "area_um2" not in table:
        return ""
    rows = table[~table["interpolated"].astype(bool)].sort_values(["track_id", "frame"])
    steps = rows.groupby("track_id")[["frame", "y_um", "x_um"]].diff()
    diameter_um = np.sqrt(4 * rows["area_um2"] / np.pi)
    lengths = (np.hypot(steps["y_um"], steps["x_um"]) / diameter_um)[steps["frame"] == 1]
    if len(lengths.dropna()) < _FEWEST_STEPS or lengths.median() <= _LONGEST_USUAL_STEP:
        return ""
    return (
        f"Doubtful: from frame to frame most objects jump {lengths.median():.1f} times their own "
        "diameter. Are the frames of one place, in order, and close enough in time?"
    )
