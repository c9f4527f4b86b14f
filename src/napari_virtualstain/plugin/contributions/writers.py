"""The writer that saves a Tracks layer as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_COLUMNS = ["track_id", "frame", "z_px", "y_px", "x_px"]


def write_tracks(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Tracks layer to `path`, one row a mitochondrion a frame.

    Parameters
    ----------
    path : str
        File to write; napari has asked before overwriting.
    data : ndarray, shape (N, 4) or (N, 5)
        Columns track_id, t, (z,) y, x in pixels.
    attributes : dict
        The layer's attributes; scale, graph and features are used.

    Returns
    -------
    list of str
        The paths written.
    """
    from ...io import write_table

    return [str(write_table(Path(path), tracks_table(data, attributes), overwrite=True))]


def tracks_table(data: Any, attributes: dict[str, Any]) -> pd.DataFrame:
    """Return the table of a Tracks layer with positions in pixels and micrometres."""
    rows = np.asarray(data, float)
    names = [name for name in _COLUMNS if rows.shape[1] == 5 or name != "z_px"]
    table = pd.DataFrame(rows, columns=names).astype({"track_id": int, "frame": int})
    scale = np.asarray(attributes.get("scale", np.ones(rows.shape[1] - 1)), float)
    table["y_um"], table["x_um"] = table["y_px"] * scale[-2], table["x_px"] * scale[-1]
    graph = attributes.get("graph") or {}
    parents = {int(child): [int(p) for p in np.atleast_1d(of)] for child, of in graph.items()}
    table["parent"] = [
        ";".join(str(p) for p in parents.get(track, [])) for track in table["track_id"]
    ]
    features = pd.DataFrame(attributes.get("features", {}))
    if len(features) == len(table):
        for name in features.columns:
            if name not in table:
                table[name] = features[name].to_numpy()
    return table
