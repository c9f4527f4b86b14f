"""DeltaVision files written byte by byte after the format's description."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from napari_virtualstain.errors import ImageFileError
from napari_virtualstain.io import open_stack

# of the header: number of the type, and what numpy calls it
TYPES = [(0, "u1"), (1, "i2"), (2, "f4"), (5, "i2"), (6, "u2"), (7, "i4")]
# of the header: number of the order, slowest axis first
ORDERS = [(0, "ctz"), (1, "tzc"), (2, "tcz")]


def written(
    path: Path,
    planes: np.ndarray,
    *,
    frames: int = 1,
    channels: int = 1,
    order: int = 0,
    kind: int = 6,
    byteorder: str = "<",
    integers: int = 0,
    numbers: int = 0,
    times: tuple[float, ...] = (),
) -> Path:
    """Write planes (N, Y, X); `times` are those of the planes in the extended header."""
    head = bytearray(1024)
    count, height, width = planes.shape
    struct.pack_into(f"{byteorder}4i", head, 0, width, height, count, kind)
    struct.pack_into(f"{byteorder}3f", head, 40, 0.11, 0.12, 0.5)
    head[96:98] = b"\xa0\xc0" if byteorder == "<" else b"\xc0\xa0"
    struct.pack_into(f"{byteorder}2h", head, 128, integers, numbers)
    struct.pack_into(f"{byteorder}2h", head, 180, frames, order)
    struct.pack_into(f"{byteorder}h", head, 196, channels)
    extended = b""
    for time in times:
        row = [0.0] * numbers
        if numbers > 1:
            row[1] = time
        extended += struct.pack(f"{byteorder}{integers}i{numbers}f", *[0] * integers, *row)
    struct.pack_into(f"{byteorder}i", head, 92, len(extended))
    path.write_bytes(bytes(head) + extended + planes.tobytes())
    return path


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(("kind", "name"), TYPES)
def test_pixels_of_each_type(tmp_path: Path, kind: int, name: str, byteorder: str) -> None:
    planes = np.arange(12).reshape(1, 3, 4).astype(byteorder + name)
    stack = open_stack(written(tmp_path / "m.dv", planes, kind=kind, byteorder=byteorder))
    np.testing.assert_array_equal(np.asarray(stack.data).squeeze(), planes[0])
    assert stack.pixel_size_um == pytest.approx(0.115, rel=1e-5)  # the mean of y and x


@pytest.mark.parametrize(("order", "axes"), ORDERS)
def test_axes_in_each_order(tmp_path: Path, order: int, axes: str) -> None:
    sizes = {"t": 2, "c": 3, "z": 4}
    shape = tuple(sizes[axis] for axis in axes)
    planes = np.arange(24, dtype=np.uint16).reshape(-1, 1, 1) * np.ones((2, 3), np.uint16)
    path = written(tmp_path / "m.dv", planes, frames=2, channels=3, order=order)
    stack = open_stack(path)
    expected = np.moveaxis(np.arange(24).reshape(shape), [axes.index(a) for a in "tcz"], [0, 1, 2])
    places = [stack.axes.lower().index(a) for a in "tcz"]
    found = np.moveaxis(np.asarray(stack.data)[..., 0, 0], places, [0, 1, 2])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("frames", "integers", "numbers", "interval_s"),
    [(3, 0, 2, 2.5), (2, 4, 8, 2.5), (3, 0, 1, None), (1, 0, 2, None), (3, 0, 0, None)],
)
def test_the_interval_is_that_of_the_time_stamps(
    tmp_path: Path, frames: int, integers: int, numbers: int, interval_s: float | None
) -> None:
    # two channels a frame: stamps of frames are every second one
    times = tuple(2.5 * (k // 2) + 0.1 * (k % 2) for k in range(2 * frames))
    planes = np.zeros((2 * frames, 2, 3), np.uint16)
    path = written(
        tmp_path / "m.dv",
        planes,
        frames=frames,
        channels=2,
        order=2,
        integers=integers,
        numbers=numbers,
        times=times,
    )
    assert open_stack(path).frame_interval_s == (interval_s and pytest.approx(interval_s))


def test_a_single_pixel_is_an_image_and_none_is_not(tmp_path: Path) -> None:
    one = written(tmp_path / "one.dv", np.full((1, 1, 1), 7, np.uint16))
    assert np.asarray(open_stack(one).data).ravel().tolist() == [7]
    for shape in ((1, 0, 4), (1, 4, 0), (0, 4, 4)):
        path = written(tmp_path / "none.dv", np.zeros(shape, np.uint16))
        with pytest.raises(ImageFileError, match="it states"):
            open_stack(path)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("side", "fits"), [(65536, True), (65537, False)])
def test_a_plane_has_at_most_65536_pixels_a_side(
    tmp_path: Path, side: int, fits: bool, turned: bool
) -> None:
    shape = (1, side, 1) if turned else (1, 1, side)
    path = written(tmp_path / "m.dv", np.zeros(shape, np.uint8), kind=0)
    if fits:
        assert open_stack(path).shape[-2:] == shape[1:]
    else:
        with pytest.raises(ImageFileError, match="it states"):
            open_stack(path)


def test_planes_must_fit_frames_and_channels(tmp_path: Path) -> None:
    path = written(tmp_path / "m.dv", np.zeros((5, 2, 2), np.uint16), frames=2, channels=1)
    with pytest.raises(ImageFileError, match="5 planes of 2 times 1 channels"):
        open_stack(path)
    short = written(tmp_path / "s.dv", np.zeros((2, 2, 2), np.uint16))
    short.write_bytes(short.read_bytes()[:-1])
    with pytest.raises(ImageFileError, match="1040 bytes expected, 1039 found"):
        open_stack(short)
