"""The Tracks value: napari's layout, relabelled masks, and files that come back exactly."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest

import napari_virtualstain as vs
from napari_virtualstain.errors import InputError, OutputExistsError


def moving_squares() -> np.ndarray:
    """Return labels of two squares that move; their values mean nothing across frames."""
    labels = np.zeros((4, 24, 24), np.int32)
    for t in range(4):
        labels[t, 2 + t : 6 + t, 2:6] = 10 - t
        labels[t, 14:18, 10 + t : 14 + t] = 3 + 5 * t
    return labels


def test_masks_are_tracked_and_relabelled() -> None:
    labels = moving_squares()
    tracks = vs.track(labels, pixel_size_um=0.1)
    assert len(tracks) == 2
    relabelled = tracks.relabel(labels)
    assert np.array_equal(relabelled > 0, labels > 0)
    for name in (1, 2):
        assert len(set(np.unravel_index(np.flatnonzero(relabelled == name), labels.shape)[0])) == 4
    table = tracks.table
    assert np.allclose(table.y_px * 0.1, table.y_um)
    assert np.allclose(table.area_um2, 16 * 0.01)


def test_relabelling_dask_is_lazy_and_the_same() -> None:
    labels = moving_squares()
    tracks = vs.track(labels)
    lazy = tracks.relabel(da.from_array(labels, chunks=(2, 24, 24)))
    assert isinstance(lazy, da.Array)
    assert np.array_equal(lazy.compute(), tracks.relabel(labels))


def test_csv_comes_back_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    seen = pd.DataFrame(
        {"frame": np.repeat(np.arange(9), 5), "y_um": rng.random(45) * 9, "x_um": rng.random(45)}
    )
    linked = vs.link(seen, frame_interval_s=2.5, pixel_size_um=0.07)
    tracks = vs.Tracks.from_table(
        linked.table, {2: [1], 3: [1, 2]}, pixel_size_um=0.07, frame_interval_s=2.5
    )
    path = tracks.to_csv(tmp_path / "Spuren µm.csv")
    back = vs.Tracks.from_csv(path)
    pd.testing.assert_frame_equal(back.table, tracks.table, check_exact=True)
    assert back.graph == tracks.graph
    assert (back.pixel_size_um, back.frame_interval_s) == (0.07, 2.5)
    with pytest.raises(OutputExistsError):
        tracks.to_csv(path)
    tracks.to_csv(path, overwrite=True)


def test_napari_takes_data_and_graph() -> None:
    layers = pytest.importorskip("napari.layers")
    table = pd.DataFrame(
        {
            "track_id": [1, 1, 2, 2, 3, 3],
            "frame": [0, 1, 0, 1, 2, 3],
            "y_um": np.arange(6.0),
            "x_um": 0.0,
        }
    )
    data, properties, graph = vs.Tracks.from_table(table, {3: [1, 2]}).to_napari()
    layer = layers.Tracks(data, properties=properties, graph=graph)
    assert layer.graph == {3: [1, 2]}


def test_a_track_twice_in_a_frame_is_refused() -> None:
    table = pd.DataFrame({"track_id": [1, 1], "frame": [0, 0], "y_um": 0.0, "x_um": 0.0})
    with pytest.raises(InputError, match="twice"):
        vs.Tracks.from_table(table)
