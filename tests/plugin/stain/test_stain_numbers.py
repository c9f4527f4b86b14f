"""Flicker, display limits and the place of a region, of the job that stains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.plugin.contributions.writers import tracks_of
from napari_virtualstain.plugin.kit.jobs import JobContext
from napari_virtualstain.plugin.kit.layer_region import LayerRegion
from napari_virtualstain.plugin.kit.preferences import Preferences
from napari_virtualstain.plugin.kit.table import FrameTable
from napari_virtualstain.plugin.run_all.many_job import movies_in
from napari_virtualstain.plugin.segment.job import Session, cut_job
from napari_virtualstain.plugin.stain import job as stain_job_module
from napari_virtualstain.plugin.stain.compare import swiped
from napari_virtualstain.plugin.stain.job import StainRequest, display_limits, why_not_steady
from napari_virtualstain.settings import SegmentSettings, StainSettings


@pytest.mark.parametrize(
    ("temporal", "frames", "is_refused"), [(2, 2, True), (2, 3, False), (0, 1, False)]
)
def test_flicker_is_reduced_over_three_frames_or_more(
    temporal: int, frames: int, is_refused: bool
) -> None:
    reason = why_not_steady(StainSettings(temporal=temporal), frames)
    assert (reason is not None) == is_refused


PART = LayerRegion((slice(2, 6), slice(0, 4), slice(0, 4)))  # of ten frames
# the visible frame, and the order of the four frames of the part
OUTWARD = [
    (0, [0, 1, 2, 3]),  # before the part: from its first frame on
    (2, [0, 1, 2, 3]),
    (4, [2, 3, 1, 0]),
    (5, [3, 2, 1, 0]),
    (9, [3, 2, 1, 0]),
]


class _Numbered:
    """A stainer and segmenter whose planes hold the number of their frame."""

    is_uncertain, provenance, cancel = False, ("tiny", ""), None

    def __init__(self, *_: Any) -> None: ...

    def stained(self, places: Any) -> Any:
        for place in places:
            yield place, (np.full((4, 4), place[0], np.float32), None)

    def check_fit(self) -> None: ...

    def labels(self, place: tuple[int, ...], _cut: Any) -> np.ndarray:
        return np.full((4, 4), place[0])


@pytest.mark.parametrize(("visible", "order"), OUTWARD)
def test_planes_of_a_part_are_stained_from_the_visible_one_outward(
    monkeypatch: pytest.MonkeyPatch, visible: int, order: list[int]
) -> None:
    monkeypatch.setattr(stain_job_module, "PlaneStainer", _Numbered)
    movie, chosen = np.zeros((10, 4, 4)), Preferences()
    request = StainRequest(movie, "tyx", PART, (visible,), "tiny", 0.1, "cpu", chosen)
    started, *rest = stain_job_module.stain_job(request, JobContext())
    done = [index[0] for item in rest for index in item.indices]
    assert done == order
    assert started.data[:, 0, 0].tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(("visible", "order"), OUTWARD)
@pytest.mark.parametrize("spared", [None, 1])
def test_planes_of_a_part_are_outlined_from_the_visible_one_outward(
    visible: int, order: list[int], spared: int | None
) -> None:
    session = Session(_Numbered(), PART, np.zeros((4, 4, 4), np.int32))
    painted = frozenset() if spared is None else frozenset({(spared,)})
    done = cut_job(session, SegmentSettings(), (visible,), painted, JobContext())
    assert [index[0] for index in done] == [frame for frame in order if frame != spared]
    found = session.labels[:, 0, 0].tolist()
    assert found == [0 if frame == spared else frame + 2 for frame in range(4)]


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
