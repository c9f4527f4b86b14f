"""Regions whose changes filter the table of tracks again."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from napari_virtualstain.plugin.inspect.region_columns import RegionColumns

SQUARE = np.array([[0, 0], [0, 4], [4, 4], [4, 0]])


def test_a_removed_region_filters_the_table_once_and_no_more() -> None:
    viewer = ViewerModel()
    kept, removed = (viewer.add_shapes(ndim=2, name=name) for name in ("kept", "removed"))
    filtered: list[int] = []
    columns = RegionColumns(viewer, lambda: filtered.append(1))
    for layer in (kept, removed):
        columns.watch(layer)
    columns.forget_removed()
    assert not filtered
    viewer.layers.remove(removed)
    columns.forget_removed()
    assert len(filtered) == 1
    removed.add(SQUARE, shape_type="polygon")
    assert len(filtered) == 1
    kept.add(SQUARE, shape_type="polygon")
    assert len(filtered) > 1
