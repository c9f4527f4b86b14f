"""``virtualstain track`` on z-stacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import napari_virtualstain as vs
from napari_virtualstain.io import write_image

Run = Callable[..., Any]


def test_a_plane_or_the_maximum_is_tracked_and_said(run: Run, tmp_path: Path) -> None:
    labels = np.zeros((4, 3, 16, 24), np.int32)
    labels[:, :2, 2:6, 2:8] = 5
    labels[:, 2, 10:14, 10:16] = 9
    write_image(tmp_path / "labels.ome.tif", labels, axes="tzyx", pixel_size_um=0.1)
    options = ("--labels-out", "out.ome.tif")  # the maximum where no plane is chosen
    done = run("track", "labels.ome.tif", "-o", "tracks.csv", *options)
    assert "maximum over z" in done.stderr
    assert len(vs.Tracks.from_csv(tmp_path / "tracks.csv")) == 2
    written = vs.open_stack(tmp_path / "out.ome.tif")
    assert written.axes == "tyx"
    assert [len(np.unique(np.asarray(frame))) for frame in written.data] == [3, 3, 3, 3]
    done = run("track", "labels.ome.tif", "-o", "one.csv", "--z-plane", "2")
    assert "plane 2 of z" in done.stderr
    assert len(vs.Tracks.from_csv(tmp_path / "one.csv")) == 1
    wrong = run("track", "labels.ome.tif", "-o", "two.csv", "--z-plane", "middle", code=2)
    assert "middle" in wrong.stderr
