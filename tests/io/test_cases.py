"""Inputs of other programs in the folder of cases, which is no part of the repository.

The folder is the environment variable ``VIRTUALSTAIN_CASES``, else ``../shared/cases`` beside the
checkout. Each kind is also built in the tests beside this one.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

import napari_virtualstain as vs

REPOSITORY = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("VIRTUALSTAIN_CASES") or REPOSITORY.parent / "shared" / "cases")
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not here: {CASES}")

# axes, shape before y and x, first pixel of each plane (None: any), a word of a note
IMAGES = {
    "folders/mm14": ("tcyx", (3, 2), [1, 101, 2, 102, 3, 103], None),
    "folders/leica": ("tcyx", (3, 2), [1, 101, 2, 102, 3, 103], None),
    "folders/positions": ("tyx", (3,), [1, 2, 3], "2 positions"),
    "folders/z_as_t": ("tzyx", (3, 2), [1, 1001, 2, 1002, 3, 1003], None),
    "folders/gap": ("tyx", (5,), [1, 2, 3, 5, 6], "missing"),
    "folders/decimal2": ("tyx", (4,), [1, 2, 3, 4], None),
    "folders/mixed_ext": ("tyx", (3,), [1, 2, 3], "MAX_cell.tif"),
    "real/ome_zarr_py_v1": ("cyx", (2,), None, None),
    "tiff/writer_loop.tif": ("tyx", (5,), [1, 2, 3, 4, 5], "one by one"),
    "tiff/append_chunks.tif": ("tyx", (6,), [1, 2, 3, 4, 5, 6], "one by one"),
    "ome/ome_increment0_deltat.ome.tif": ("tyx", (5,), [1, 2, 3, 4, 5], None),
    "ome/ome_sizeT_too_small.ome.tif": ("tyx", (3,), [1, 2, 3], "5 pages"),
    "zarr/short_scale.zarr": ("tcyx", (3, 2), [1, 101, 2, 102, 3, 103], None),
    "zarr/long_names.zarr": ("tyx", (3,), [1, 2, 3], None),
    "micromanager/pos_MMStack_Pos0.ome.tif": (
        "tcyx", (3, 2), [1, 101, 2, 102, 3, 103], "positions",
    ),
    "micromanager/aborted_MMStack_Default.ome.tif": (
        "tcyx", (3, 2), [1, 101, 2, 102, 3, 103], "not complete",
    ),
    "deltavision/nt0.dv": ("zyx", (4,), [1, 101, 201, 301], None),
    "deltavision/bigendian_interval.dv": ("tyx", (3,), [1, 2, 3], None),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str) -> None:
    axes, leading, first, told = IMAGES[name]
    stack = vs.open_stack(CASES / name)
    assert (stack.axes, stack.shape[:-2]) == (axes, leading)
    data = np.asarray(stack.data)
    if first is not None:
        assert data[..., 0, 0].ravel().tolist() == first
    assert (told in " ".join(stack.notes)) if told else stack.notes == ()


def test_ndtiff() -> None:
    stack = vs.open_stack(CASES / "real" / "ndtiffv3.0_test", channel=0)
    assert stack.shape == (5, 32, 32)
    assert np.asarray(stack.data)[:, 0, 0].tolist() == [3276, 5846, 3276, 706, 3276]


def test_units() -> None:
    def opened(name: str) -> tuple[float | None, float | None]:
        stack = vs.open_stack(CASES / name)
        return stack.pixel_size_um, stack.frame_interval_s

    assert opened("ome/ome_increment0_deltat.ome.tif")[1] == 2.0
    assert opened("zarr/short_scale.zarr")[0] == 0.1
    assert opened("zarr/long_names.zarr") == (0.1, 2.0)
    assert opened("deltavision/bigendian_interval.dv")[1] == 5.0
    waves = vs.open_stack(CASES / "deltavision" / "waves_bf.dv")
    assert waves.channel_names == ("bright-field", "525 nm")


@pytest.mark.parametrize(
    ("name", "tracks", "rows", "interval_s"),
    [
        ("trackmate/hidden.xml", 1, 3, 2.0),
        ("trackmate/filtered_out.xml", 1, 3, 2.0),
        ("trackmate/minutes.xml", 1, 3, 30.0),
        ("trackmate/reversed_split.xml", 3, 5, 2.0),
        ("trackmate/edge_to_missing_spot.xml", 1, 3, 2.0),
        ("real/pytrackmate_FakeTracks.xml", 2, 12, 1.0),
    ],
)
def test_trackmate(name: str, tracks: int, rows: int, interval_s: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = vs.Tracks.from_trackmate(CASES / name)
    assert (len(read), len(read.table), read.frame_interval_s) == (tracks, rows, interval_s)
    if "reversed" in name:
        assert read.graph == {2: [1], 3: [1]}


@pytest.mark.parametrize("name", ["start5", "both", "parent_minus1"])
def test_cell_tracking_challenge(name: str) -> None:
    read = vs.Tracks.from_ctc(CASES / "ctc" / name)
    start = 5 if name == "start5" else 0
    assert read.table.frame.tolist() == list(range(start, start + 5))
    assert read.graph == {}


@pytest.mark.parametrize("name", ["ok", "float", "neg_bg"])
def test_labels(name: str) -> None:
    assert len(vs.track(vs.open_stack(CASES / "labels" / f"{name}.tif"))) == 10
