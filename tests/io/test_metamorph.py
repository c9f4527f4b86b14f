"""MetaMorph stacks: all planes behind one directory, described by the tags UIC1 to UIC4."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from napari_virtualstain.errors import ImageFileError
from napari_virtualstain.io import open_stack

PLANES = (np.arange(5)[:, None, None] * 100 + np.arange(20)[:, None]).repeat(30, 2)
MIDNIGHT_MS = 24 * 3600 * 1000


def _stack(
    path: Path,
    *,
    times_ms: Sequence[int] = (0,) * 5,
    z_um: float = 0.0,
    calibration: float = 0.1,
    unit: str = "um",
    is_calibrated: bool = True,
    wavelengths: Sequence[int] = (600,) * 5,
    strips: int = 1,
    declared: int = 5,
) -> Path:
    count, height, width = PLANES.shape
    content = bytearray(b"II*\0" + bytes(4))
    content += PLANES.astype("<u2").tobytes()

    def put(part: bytes) -> int:
        content.extend(bytes(len(content) % 2))
        content.extend(part)
        return len(content) - len(part)

    def fraction(value: float) -> tuple[int, int]:
        return round(value * 1000), 1000

    size = put(struct.pack("<2I", *fraction(calibration)))
    name = put(struct.pack("<I", len(unit) + 1) + unit.encode() + b"\0")
    uic1 = put(struct.pack("<8I", 3, int(is_calibrated), 4, size, 5, size, 6, name))
    times = [*times_ms, *[0] * (declared - count)]
    uic2 = put(
        b"".join(
            struct.pack(
                "<6I", *fraction(z_um), 2460000 + t // MIDNIGHT_MS, t % MIDNIGHT_MS, 2460000, 0
            )
            for t in times
        )
    )
    uic3 = put(b"".join(struct.pack("<2I", w, 1) for w in [*wavelengths, *[1] * declared]))
    uic4 = put(struct.pack("<H", 28) + struct.pack("<4i", 0, 1, 0, 1) * declared + bytes(2))
    rows = -(-height // strips)
    lengths = [min(rows, height - i * rows) * width * 2 for i in range(strips)]
    offsets = [8 + sum(lengths[:i]) for i in range(strips)]
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, strips, put(struct.pack(f"<{strips}I", *offsets)) if strips > 1 else 8),
        (277, 3, 1, 1),
        (278, 4, 1, rows),
        (279, 4, strips, put(struct.pack(f"<{strips}I", *lengths)) if strips > 1 else lengths[0]),
        (33628, 4, 4, uic1),
        (33629, 5, declared, uic2),
        (33630, 5, declared, uic3),
        (33631, 4, declared, uic4),
    ]
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    content[4:8] = struct.pack("<I", put(directory))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["cell.stk", "cell.tif"])
@pytest.mark.parametrize("strips", [1, 3])
def test_a_movie_with_its_pixel_size_and_interval(tmp_path: Path, name: str, strips: int) -> None:
    path = _stack(tmp_path / name, times_ms=range(0, 10000, 2000), strips=strips)
    stack = open_stack(path)
    assert (stack.axes, stack.pixel_size_um, stack.frame_interval_s) == ("tyx", 0.1, 2.0)
    assert stack.notes == ()
    np.testing.assert_array_equal(stack.data, PLANES)


def test_a_movie_over_midnight(tmp_path: Path) -> None:
    times = range(MIDNIGHT_MS - 3000, MIDNIGHT_MS + 7000, 2000)
    assert open_stack(_stack(tmp_path / "m.stk", times_ms=times)).frame_interval_s == 2.0


def test_a_late_frame_is_said(tmp_path: Path) -> None:
    stack = open_stack(_stack(tmp_path / "m.stk", times_ms=(0, 2000, 4000, 9000, 11000)))
    assert stack.frame_interval_s == 2.0
    assert "not evenly spaced (2 to 5 s apart)" in stack.notes[0]


def test_planes_in_depth(tmp_path: Path) -> None:
    path = _stack(tmp_path / "z.stk", times_ms=range(0, 1500, 300), z_um=0.25)
    stack = open_stack(path)
    assert (stack.axes, stack.z_step_um, stack.frame_interval_s) == ("zyx", 0.25, None)


def test_planes_of_one_time_are_taken_as_time_and_that_is_said(tmp_path: Path) -> None:
    stack = open_stack(_stack(tmp_path / "s.stk"))
    assert (stack.axes, stack.frame_interval_s) == ("tyx", None)
    assert "5 planes are taken as time" in stack.notes[-1]


@pytest.mark.parametrize(
    ("calibration", "unit", "is_calibrated", "expected"),
    [
        (100.0, "nm", True, 0.1),
        (0.1, "µm".encode().decode("latin-1"), True, None),
        (1.0, "pixel", True, None),
        (0.1, "um", False, None),
    ],
)
def test_units_of_the_calibration(
    tmp_path: Path, calibration: float, unit: str, is_calibrated: bool, expected: float | None
) -> None:
    options = {"calibration": calibration, "unit": unit, "is_calibrated": is_calibrated}
    path = _stack(tmp_path / "c.stk", times_ms=range(0, 10000, 2000), **options)
    assert open_stack(path).pixel_size_um == expected


def test_several_wavelengths_are_said(tmp_path: Path) -> None:
    path = _stack(tmp_path / "w.stk", wavelengths=(528, 617, 528, 617, 528))
    assert any("several wavelengths" in note for note in open_stack(path).notes)


def test_more_planes_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match="truncated or damaged"):
        open_stack(_stack(tmp_path / "d.stk", declared=50))
