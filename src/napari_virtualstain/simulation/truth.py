"""The truth of a frame: which pixel belongs to which mitochondrion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .scene_config import Mitochondria
from .tubule import Tubule

FloatArray = NDArray[np.float64]
SMALLEST_PIXELS = 6
COLUMNS = [
    "track_id",
    "frame",
    "y_um",
    "x_um",
    "y_px",
    "x_px",
    "label",
    "area_um2",
    "interpolated",
    "quality",
    "parent",
    "z_um",
    "length_um",
]


def draw_labels(
    tubules: Sequence[Tubule],
    nodes: Sequence[FloatArray],
    field: tuple[int, int],
    pixel_size_um: float,
    config: Mitochondria,
) -> NDArray[np.int32]:
    """Return the labels of one frame, (Y, X): the track id of the nearest centreline.

    A pixel belongs to a mitochondrion where its centre is within the radius of the
    centreline, seen from above. Only mitochondria in focus are drawn; of one that shows
    in fewer than 6 pixels nothing is.
    """
    labels = np.zeros(field, dtype=np.int32)
    nearest = np.full(field, np.inf)
    for tubule, line in zip(tubules, nodes, strict=True):
        if abs(line[:, 0].mean()) < config.in_focus_um:
            _draw(tubule, line[:, 1:] / pixel_size_um, pixel_size_um, labels, nearest)
    identity, size = np.unique(labels, return_counts=True)
    small = identity[(size < SMALLEST_PIXELS) & (identity > 0)]
    labels[np.isin(labels, small)] = 0
    return labels


def _draw(
    tubule: Tubule,
    line: FloatArray,
    pixel_size_um: float,
    labels: NDArray[np.int32],
    nearest: FloatArray,
) -> None:
    radius = tubule.radius_um / pixel_size_um
    low = np.maximum(np.floor(line.min(axis=0) - radius).astype(int), 0)
    high = np.minimum(np.ceil(line.max(axis=0) + radius).astype(int) + 1, labels.shape)
    if (high <= low).any():
        return
    middle = 0.5 * (line[1:] + line[:-1])
    points = np.concatenate([line, middle])
    y = np.arange(low[0], high[0])[:, None] - points[:, 0]
    x = np.arange(low[1], high[1])[:, None] - points[:, 1]
    distance = np.sqrt((y[:, None] ** 2 + x[None] ** 2).min(axis=-1))
    box = (slice(low[0], high[0]), slice(low[1], high[1]))
    mine = (distance <= radius) & (distance < nearest[box])
    nearest[box][mine] = distance[mine]
    labels[box][mine] = tubule.track_id


def frame_table(
    frame: int,
    labels: NDArray[np.int32],
    tubules: Sequence[Tubule],
    pixel_size_um: float,
) -> pd.DataFrame:
    """Return one row for each label of a frame, with the columns of a track table.

    `parent` is the track before a fission or the longer of the two before a fusion, and
    0 where there was none.
    """
    identity, inverse, size = np.unique(labels, return_inverse=True, return_counts=True)
    rows, columns = np.indices(labels.shape)
    y = np.bincount(inverse.ravel(), rows.ravel()) / size
    x = np.bincount(inverse.ravel(), columns.ravel()) / size
    known = {tubule.track_id: tubule for tubule in tubules}
    seen = np.flatnonzero(identity)
    owners = [known[int(identity[index])] for index in seen]
    return pd.DataFrame(
        {
            "track_id": identity[seen].astype(np.int64),
            "frame": np.int64(frame),
            "y_um": y[seen] * pixel_size_um,
            "x_um": x[seen] * pixel_size_um,
            "y_px": y[seen],
            "x_px": x[seen],
            "label": identity[seen].astype(np.int64),
            "area_um2": size[seen] * pixel_size_um**2,
            "interpolated": False,
            "quality": 1.0,
            "parent": np.array(
                [owner.parents[0] if owner.parents else 0 for owner in owners], dtype=np.int64
            ),
            "z_um": np.array([owner.centre[0] for owner in owners], dtype=np.float64),
            "length_um": np.array([owner.length_um for owner in owners], dtype=np.float64),
        },
        columns=COLUMNS,
    )
