"""Micro-Manager stacks and NDTiff datasets, written here byte by byte after their definition."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import ImageFileError, InputError
from napari_virtualstain.io import open_stack

HEIGHT, WIDTH = 6, 8


def _directory(offset: int, following: int, told: dict[str, Any]) -> bytes:
    """Return a TIFF directory whose pixels and metadata follow it, as Micro-Manager writes it."""
    text = json.dumps(told).encode() + b"\0"
    tags = 9
    pixels = offset + 2 + 12 * tags + 4
    metadata = pixels + HEIGHT * WIDTH * 2
    entries = [
        (256, 4, 1, WIDTH),
        (257, 4, 1, HEIGHT),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, pixels),
        (278, 4, 1, HEIGHT),
        (279, 4, 1, HEIGHT * WIDTH * 2),
        (51123, 2, len(text), metadata),
    ]
    body = struct.pack("<H", tags) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    end = metadata + len(text)
    return body + struct.pack("<I", end if following else 0), text  # type: ignore[return-value]


def _stack_file(
    path: Path,
    places: list[tuple[int, int, int, int]],
    summary: dict[str, Any],
    *,
    virtual: tuple[tuple[int, int, int, int], ...] = (),
    indexed: bool = True,
    more: dict[str, Any] | None = None,
) -> None:
    """Write planes of value 100 c + 1000 p + 10 z + t at (channel, slice, frame, position)."""
    text = json.dumps(summary).encode()
    offset = 40 + len(text)
    body, index = b"", []
    for at, (c, z, t, p) in enumerate(places):
        index.append((c, z, t, p, offset))
        told = {"FrameIndex": t, "ChannelIndex": c, "SliceIndex": z, "PositionIndex": p}
        told |= more or {}
        head, tail = _directory(offset, at + 1 < len(places), told)  # type: ignore[misc]
        pixels = np.full((HEIGHT, WIDTH), 100 * c + 1000 * p + 10 * z + t, "<u2").tobytes()
        body += head + pixels + tail
        offset += len(head) + len(pixels) + len(tail)
    index += [(*place, 0) for place in virtual]
    table = struct.pack("<II", 3453623, len(index)) + b"".join(
        struct.pack("<5I", *row) for row in index
    )
    where = offset if indexed else 0
    header = struct.pack("<2sHI", b"II", 42, 40 + len(text))
    header += struct.pack("<II", 54773648 if indexed else 0, where)
    header += struct.pack("<4I", 0, 0, 0, 0) + struct.pack("<II", 2355492, len(text))
    path.write_bytes(header + text + body + (table if indexed else b""))


def _summary(**more: Any) -> dict[str, Any]:
    summary = {"Prefix": "m", "MicroManagerVersion": "2.0.0", "Channels": 2, "Slices": 1}
    return {
        **summary,
        "Frames": 3,
        "Positions": 1,
        "PixelSize_um": 0.1,
        "Interval_ms": 2000.0,
        "ChNames": ["BF", "GFP"],
        **more,
    }


def _places(frames: int, channels: int = 2, position: int = 0) -> list[tuple[int, int, int, int]]:
    return [(c, 0, t, position) for t in range(frames) for c in range(channels)]


def test_a_stack_by_its_index(tmp_path: Path) -> None:
    path = tmp_path / "m_MMStack_Default.ome.tif"
    _stack_file(path, _places(3), _summary())
    stack = open_stack(path)
    assert (stack.axes, stack.shape) == ("tcyx", (3, 2, HEIGHT, WIDTH))
    assert (stack.channel_names, stack.pixel_size_um, stack.frame_interval_s) == (
        ("BF", "GFP"),
        0.1,
        2.0,
    )
    np.testing.assert_array_equal(np.asarray(stack.data)[..., 0, 0], [[0, 100], [1, 101], [2, 102]])
    assert stack.notes == ()


def test_planes_in_any_order_of_acquisition(tmp_path: Path) -> None:
    path = tmp_path / "m_MMStack_Default.ome.tif"
    places = [(c, z, t, 0) for c in (1, 0) for z in (1, 0) for t in (2, 0, 1)]
    _stack_file(path, places, _summary(Slices=2))
    stack = open_stack(path)
    assert stack.axes == "tczyx"
    expected = np.arange(3)[:, None, None] + 100 * np.arange(2)[:, None] + 10 * np.arange(2)
    np.testing.assert_array_equal(np.asarray(stack.data)[..., 0, 0], expected)


def test_an_aborted_acquisition_opens_its_whole_frames(tmp_path: Path) -> None:
    path = tmp_path / "m_MMStack_Default.ome.tif"
    missing = ((1, 0, 3, 0), (0, 0, 4, 0), (1, 0, 4, 0))
    _stack_file(path, [*_places(3), (0, 0, 3, 0)], _summary(Frames=5), virtual=missing)
    stack = open_stack(path)
    assert stack.shape[:2] == (3, 2)
    assert "3 frames are opened" in stack.notes[0]
    np.testing.assert_array_equal(np.asarray(stack.data)[:, 1, 0, 0], [100, 101, 102])


def test_a_truncated_stack_never_fails_in_the_middle_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "m_MMStack_Default.ome.tif"
    _stack_file(path, _places(3), _summary(), indexed=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 60])
    try:
        stack = open_stack(path)
    except ImageFileError:
        return
    assert np.asarray(stack.data).shape[0] < 3
    assert stack.notes


def test_a_stack_without_an_index_is_read_by_what_its_planes_say(tmp_path: Path) -> None:
    path = tmp_path / "m_MMStack_Default.ome.tif"
    _stack_file(path, _places(3), _summary(), indexed=False)
    stack = open_stack(path)
    assert (stack.axes, stack.shape[:2]) == ("tcyx", (3, 2))
    np.testing.assert_array_equal(np.asarray(stack.data)[:, 1, 0, 0], [100, 101, 102])


def test_each_file_of_several_positions_opens_its_own(tmp_path: Path) -> None:
    for p in range(2):
        summary = _summary(Positions=2)
        _stack_file(tmp_path / f"m_MMStack_Pos{p}.ome.tif", _places(3, position=p), summary)
    second = open_stack(tmp_path / "m_MMStack_Pos1.ome.tif")
    assert (second.axes, int(second.data[0, 0, 0, 0].compute())) == ("tcyx", 1000)
    assert "2 positions (0 Pos0, 1 Pos1); Pos1 is opened" in second.notes[0]
    first = open_stack(tmp_path / "m_MMStack_Pos1.ome.tif", position="Pos0")
    assert int(first.data[0, 0, 0, 0].compute()) == 0
    assert open_stack(tmp_path).shape == first.shape
    (tmp_path / "m_MMStack_Pos0.ome.tif").unlink()
    alone = open_stack(tmp_path / "m_MMStack_Pos1.ome.tif")
    assert int(alone.data[0, 0, 0, 0].compute()) == 1000
    with pytest.raises(InputError, match="no position 7"):
        open_stack(tmp_path / "m_MMStack_Pos1.ome.tif", position=7)


def test_a_movie_continued_in_a_second_file(tmp_path: Path) -> None:
    first, rest = _places(5)[:6], _places(5)[6:]
    _stack_file(tmp_path / "m_MMStack_Pos0.ome.tif", first, _summary(Frames=5))
    _stack_file(tmp_path / "m_MMStack_Pos0_1.ome.tif", rest, _summary(Frames=5))
    for name in ("m_MMStack_Pos0.ome.tif", "m_MMStack_Pos0_1.ome.tif"):
        stack = open_stack(tmp_path / name)
        assert stack.shape[:2] == (5, 2)
        np.testing.assert_array_equal(np.asarray(stack.data)[:, 0, 0, 0], range(5))


def _ndtiff(folder: Path, entries: list[tuple[dict[str, Any], int]], *, skip: int = 0) -> Path:
    """Write a dataset of planes of one value each; `skip` bytes of the last are missing."""
    folder.mkdir()
    summary = json.dumps({"PixelSize_um": 0.065}).encode()
    offset = 28 + len(summary)
    path = folder / "d_NDTiffStack.tif"
    body, index = b"", b""
    for i, (axes, value) in enumerate(entries):
        head, tail = _directory(offset, i + 1 < len(entries), {"Axes": axes})  # type: ignore[misc]
        pixels = np.full((HEIGHT, WIDTH), value, "<u2").tobytes()
        at = offset + len(head)
        body += head + pixels + tail
        offset += len(head) + len(pixels) + len(tail)
        for text in (json.dumps(axes).encode(), path.name.encode()):
            index += struct.pack("<I", len(text)) + text
        index += struct.pack("<IiiiiIii", at, WIDTH, HEIGHT, 1, 0, at, 2, 0)
    header = struct.pack("<2sHI", b"II", 42, 28 + len(summary))
    header += struct.pack("<5I", 483729, 3, 0, 2355492, len(summary))
    whole = header + summary + body
    path.write_bytes(whole[: len(whole) - skip])
    (folder / "NDTiff.index").write_bytes(index)
    return path


def test_ndtiff_with_axes_of_names_and_numbers(tmp_path: Path) -> None:
    entries = [
        ({"channel": name, "time": t, "position": p}, 1000 * p + 100 * c + t)
        for t in range(3)
        for p in range(2)
        for c, name in enumerate(("BF", "GFP"))
    ]
    path = _ndtiff(tmp_path / "d", entries)
    for given in (path, path.parent):
        stack = open_stack(given)
        assert (stack.axes, stack.channel_names) == ("tcyx", ("BF", "GFP"))
        assert stack.pixel_size_um == 0.065
        assert "2 positions" in stack.notes[0]
        np.testing.assert_array_equal(np.asarray(stack.data)[:, 1, 0, 0], [100, 101, 102])
    second = open_stack(path, position=1, channel="BF")
    np.testing.assert_array_equal(np.asarray(second.data)[:, 0, 0], [1000, 1001, 1002])


def test_ndtiff_that_ends_early_or_lost_its_index(tmp_path: Path) -> None:
    entries = [({"time": t, "channel": c}, 100 * c + t) for t in range(3) for c in range(2)]
    path = _ndtiff(tmp_path / "d", entries, skip=130)
    stack = open_stack(path)
    assert stack.shape[:2] == (2, 2)
    assert "not complete" in stack.notes[0]
    path = _ndtiff(tmp_path / "e", entries)
    (path.parent / "NDTiff.index").unlink()
    stack = open_stack(path)
    assert (stack.axes, stack.shape[:2]) == ("tcyx", (3, 2))
    np.testing.assert_array_equal(np.asarray(stack.data)[:, 1, 0, 0], [100, 101, 102])


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_label_of_the_objective_states_the_optics(tmp_path: Path, wrapped: bool) -> None:
    label = "60x/1.40 Plan Apo Oil"
    more = {"Dichroic-Label": "2", "Objective-Label": {"PropVal": label} if wrapped else label}
    path = tmp_path / "m_MMStack_Pos0.ome.tif"
    _stack_file(path, [(0, 0, t, 0) for t in range(3)], {}, more=more)
    optics = open_stack(path).optics
    assert (optics.numerical_aperture, optics.immersion_index) == (1.4, 1.515)
