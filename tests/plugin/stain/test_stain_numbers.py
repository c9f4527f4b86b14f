"""Flicker, display limits and the place of a region, of the job that stains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.contributions.writers import tracks_of
from napari_virtualstain.plugin.kit.table import FrameTable
from napari_virtualstain.plugin.run_all.many_job import movies_in
from napari_virtualstain.plugin.stain.compare import swiped
from napari_virtualstain.plugin.stain.job import display_limits, why_not_steady
from napari_virtualstain.settings import StainSettings


@pytest.mark.parametrize(
    ("temporal", "frames", "is_refused"), [(2, 2, True), (2, 3, False), (0, 1, False)]
)
def test_flicker_is_reduced_over_three_frames_or_more(
    temporal: int, frames: int, is_refused: bool
) -> None:
    reason = why_not_steady(StainSettings(temporal=temporal), frames)
    assert (reason is not None) == is_refused


def test_stains_are_shown_from_5_to_9995_per_cent() -> None:
    plane = np.arange(10_001.0)[None]
    assert display_limits(plane) == pytest.approx((500.0, 9995.0))
    assert display_limits(np.full((3, 3), 7.0)) == (7.0, 8.0)
    assert display_limits(np.full((3, 3), np.nan)) == (0.0, 1.0)
    plane[0, 3:] = np.nan
    assert display_limits(plane) == pytest.approx((0.1, 1.999))


@pytest.mark.parametrize(
    ("share", "columns"), [(0.0, 0), (0.12, 1), (0.13, 1), (0.5, 5), (1.0, 10)]
)
def test_a_swipe_takes_its_share_of_the_columns(share: float, columns: int) -> None:
    before = np.zeros((2, 10, 3))
    picture = swiped(before, np.ones_like(before), share)
    assert picture[0, :, 0].tolist() == [1.0] * columns + [0.0] * (10 - columns)
    assert not before.any()


def test_movies_of_a_folder_are_files_or_else_folders_of_frames(tmp_path: Path) -> None:
    for name in ("b", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "b" / "0001.png").write_bytes(b"")
    (tmp_path / ".hidden.tif").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    assert [path.name for path in movies_in(tmp_path)] == ["b"]
    (tmp_path / "a.TIF").write_bytes(b"")
    assert [path.name for path in movies_in(tmp_path)] == ["a.TIF"]
    with pytest.raises(InputError, match="holds no movie"):
        movies_in(tmp_path / "empty")


@pytest.mark.parametrize(
    ("attributes", "size_um", "interval_s"),
    [
        ({}, 1.0, 1.0),
        ({"scale": (2.0, 0.1, 0.1)}, 1.0, 1.0),
        ({"scale": (2.0, 0.1, 0.1), "units": ("s", "um", "um")}, 0.1, 2.0),
        ({"scale": (2.0, 100.0, 100.0), "units": ("min", "nm", "nm")}, 0.1, 120.0),
        ({"scale": (2.0, 0.1, 0.1), "units": ("pixel", "um", "um")}, 0.1, 1.0),
    ],
)
def test_written_tracks_have_the_units_of_their_layer(
    attributes: dict[str, Any], size_um: float, interval_s: float
) -> None:
    tracks = tracks_of([[1, 0, 5, 6], [1, 1, 5, 8], [2, 1, 9, 9]], {**attributes, "graph": {2: 1}})
    assert (tracks.pixel_size_um, tracks.frame_interval_s) == pytest.approx((size_um, interval_s))
    assert tracks.table["x_um"].tolist() == pytest.approx([6 * size_um, 8 * size_um, 9 * size_um])
    assert tracks.graph == {2: [1]}


def test_features_of_as_many_rows_are_written_with_the_tracks() -> None:
    data = [[1, 0, 5, 6], [1, 1, 5, 8]]
    kept = {"track_id": [1, 1], "quality": [0.5, 0.75], "drawn": ["a", "b"]}
    assert tracks_of(data, {"features": kept}).table["quality"].tolist() == [0.5, 0.75]
    others = {"track_id": [1, 2], "quality": [0.5, 0.75]}
    assert tracks_of(data, {"features": others}).table["quality"].tolist() == [1.0, 1.0]
    assert "drawn" not in tracks_of(data, {"features": kept}).table


def test_columns_are_60_to_200_pixels_wide(qtbot: Any) -> None:
    import pandas as pd

    table = FrameTable()
    qtbot.addWidget(table)
    long = ["x" * 300] * 60
    table.show_frame(pd.DataFrame({"a": [1.0] * 60, "text": long, "late": ["y"] * 50 + long[:10]}))
    widths = [table.horizontalHeader().sectionSize(column) for column in range(3)]
    assert widths[0] == 60
    assert widths[1] == 200
    assert widths[2] < 100  # the first 50 rows are measured
