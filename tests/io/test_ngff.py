"""OME-Zarr of all versions: axes, scales, levels, plates and metadata that cannot be true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_virtualstain.errors import AxesError, ImageFileError
from napari_virtualstain.io import open_stack

MOVIE = (np.arange(1, 6, dtype=np.uint16)[:, None, None] * np.ones((8, 9))).astype(np.uint16)


def _zarr(path: Path, multiscale: dict[str, Any], data: np.ndarray, *, version: int = 2) -> Path:
    group = zarr.create_group(path, zarr_format=version)  # type: ignore[arg-type]
    group.create_array("0", data=data)
    held = {"datasets": [{"path": "0"}], **multiscale}
    if version == 2:
        group.attrs["multiscales"] = [held]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [held]}
    return path


TIME = {"name": "time", "type": "time", "unit": "second"}
SPACE = [{"name": n, "type": "space", "unit": "micrometer"} for n in ("row", "column")]
FIVE = np.arange(2 * 3, dtype=np.uint16).reshape(1, 2, 3, 1, 1) * np.ones((1, 2, 3, 8, 9))


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_old_versions_have_five_axes_by_definition(tmp_path: Path, version: str) -> None:
    stack = open_stack(_zarr(tmp_path / "m.zarr", {"version": version}, FIVE.astype(np.uint16)))
    assert (stack.axes, stack.shape) == ("czyx", (2, 3, 8, 9))
    assert (stack.pixel_size_um, stack.frame_interval_s, stack.z_step_um) == (None, None, None)


def test_axes_by_name_alone_as_in_0_3(tmp_path: Path) -> None:
    described = {"version": "0.3", "axes": ["t", "y", "x"]}
    stack = open_stack(_zarr(tmp_path / "m.zarr", described, MOVIE))
    assert (stack.axes, stack.pixel_size_um, stack.frame_interval_s) == ("tyx", None, None)


@pytest.mark.parametrize("version", [2, 3])
def test_names_of_axes_are_free(tmp_path: Path, version: int) -> None:
    scale = [{"type": "scale", "scale": [2.0, 0.1, 0.1]}]
    described = {
        "axes": [TIME, *SPACE],
        "datasets": [{"path": "0", "coordinateTransformations": scale}],
    }
    stack = open_stack(_zarr(tmp_path / "m.zarr", described, MOVIE, version=version))
    assert (stack.axes, stack.pixel_size_um, stack.frame_interval_s) == ("tyx", 0.1, 2.0)


@pytest.mark.parametrize(
    ("scale", "pixel", "interval", "is_said"),
    [
        ([0.5, 0.1, 0.1], 0.1, 0.5, False),
        ([0.1, 0.1], 0.1, None, False),
        ([0.5, 1.0, 0.1, 0.1], 0.1, 0.5, False),
        ([0.1], None, None, True),
        ([0.5, 1, 1, 0.1, 0.1], None, None, True),
        (["0.5", 1, 0.1, 0.1], None, None, True),
        (None, None, None, False),
    ],
)
def test_a_scale_belongs_to_the_axes_it_can_belong_to(
    tmp_path: Path, scale: Any, pixel: float | None, interval: float | None, is_said: bool
) -> None:
    transforms = [] if scale is None else [{"type": "scale", "scale": scale}]
    described = {
        "version": "0.4",
        "axes": [TIME, {"name": "c", "type": "channel"}, *SPACE],
        "datasets": [{"path": "0", "coordinateTransformations": transforms}],
    }
    data = np.zeros((3, 2, 8, 9), np.uint16)
    stack = open_stack(_zarr(tmp_path / "m.zarr", described, data))
    assert (stack.axes, stack.pixel_size_um, stack.frame_interval_s) == ("tcyx", pixel, interval)
    assert bool(stack.notes) == is_said


def test_the_largest_level_is_opened_wherever_it_is_listed(tmp_path: Path) -> None:
    path = _zarr(tmp_path / "m.zarr", {"axes": ["t", "y", "x"]}, MOVIE[:, ::2, ::2])
    group = zarr.open_group(path)
    group.create_array("1", data=MOVIE)
    group.attrs["multiscales"] = [
        {"axes": ["t", "y", "x"], "datasets": [{"path": "0"}, {"path": "1"}]}
    ]
    assert open_stack(path).shape == MOVIE.shape


def test_more_axes_than_five_are_refused(tmp_path: Path) -> None:
    axes = [{"name": name, "type": "space"} for name in "abcdyx"]
    path = _zarr(tmp_path / "m.zarr", {"axes": axes}, np.zeros((1, 2, 1, 1, 8, 9), np.uint8))
    with pytest.raises(AxesError, match="has 6 dimensions: expected at most five"):
        open_stack(path)


def test_a_folder_that_holds_an_image_names_it(tmp_path: Path) -> None:
    _zarr(tmp_path / "m.zarr", {"axes": ["t", "y", "x"]}, MOVIE)
    with pytest.raises(ImageFileError, match=r"one of its folders \(m\.zarr\)"):
        open_stack(tmp_path)


def test_a_plate_opens_a_well_that_exists(tmp_path: Path) -> None:
    wells = [{"rowIndex": 0}, "A/3", *({"path": f"A/{i}"} for i in (1, 2, 3))]
    zarr.create_group(tmp_path / "p.zarr", zarr_format=2).attrs["plate"] = {"wells": wells}
    for i in (2, 3):
        well = tmp_path / "p.zarr" / "A" / str(i)
        zarr.create_group(well, zarr_format=2).attrs["well"] = {"images": [{"path": "0"}]}
        _zarr(well / "0", {"version": "0.4", "axes": ["t", "y", "x"]}, MOVIE + i)
    stack = open_stack(tmp_path / "p.zarr")
    assert int(stack.data[0, 0, 0].compute()) == 3
    assert "2 positions (0 A/2/0, 1 A/3/0)" in stack.notes[0]
    assert int(open_stack(tmp_path / "p.zarr", position="A/3/0").data[0, 0, 0].compute()) == 4
    assert open_stack(tmp_path / "p.zarr" / "A" / "3").shape == MOVIE.shape


def test_a_path_of_the_metadata_that_leads_out_is_refused(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "secret.zarr", data=MOVIE)
    path = _zarr(tmp_path / "m.zarr", {"datasets": [{"path": "../secret.zarr"}]}, MOVIE)
    with pytest.raises(ImageFileError, match="leads out of the folder"):
        open_stack(path)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [10**9, 8, 9]},
        {"shape": [5, 10**7, 10**7]},
        {"chunks": [10**9, 8, 9]},
        {"compressor": {"id": "unknown"}},
        {"dtype": "<U4"},
        {"shape": "five"},
        {"fill_value": [1, 2]},
    ],
)
def test_array_metadata_that_cannot_be_true(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=MOVIE, zarr_format=2)
    held = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps({**held, **change}))
    with pytest.raises(ImageFileError):
        open_stack(path)


def test_names_of_dimensions_that_zarr_3_or_xarray_keeps(tmp_path: Path) -> None:
    pixels = np.zeros((3, 2, 24, 32), np.uint16)
    for version, names in ((3, {"dimension_names": ["time", "c", "y", "x"]}), (2, {})):
        array = zarr.create_array(
            tmp_path / f"v{version}",
            data=pixels,
            chunks=(1, 1, 24, 32),
            zarr_format=version,
            **names,
        )
        if version == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = ["time", "c", "y", "x"]
        stack = open_stack(tmp_path / f"v{version}")
        assert (stack.axes, stack.notes) == ("tcyx", ())


def test_missing_chunks_are_said(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "m", shape=(3, 24, 32), chunks=(1, 24, 32), dtype=np.uint16, zarr_format=2
    )
    array[0], array[2] = 1, 3
    stack = open_stack(tmp_path / "m", axes="tyx")
    assert "Of its 3 chunks, 1 are not there and read as 0" in stack.notes[0]
    array[1] = 2
    assert open_stack(tmp_path / "m", axes="tyx").notes == ()
