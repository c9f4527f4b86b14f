"""One frame read touches one frame."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_virtualstain.errors import ImageFileError
from napari_virtualstain.io import open_stack, write_image
from napari_virtualstain.io.readers.source import NativeReader

MOVIE = np.random.default_rng(2).integers(0, 4000, (6, 20, 30)).astype(np.uint16)


def _write(path: Path) -> Path:
    if path.suffix == ".zarr":
        return write_image(path, MOVIE, axes="tyx")
    if path.suffix == "":
        path.mkdir()
        for t, frame in enumerate(MOVIE):
            Image.fromarray(frame).save(path / f"t{t}.png")
        return path
    tifffile.imwrite(path, MOVIE, compression="zlib" if "zlib" in path.name else None)
    return path


@pytest.mark.parametrize("name", ["raw.tif", "zlib.tif", "m.ome.zarr", "folder"])
def test_one_frame_read_asks_for_one_plane(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[int] = Counter()
    read = NativeReader.__call__

    def counting(self: NativeReader, index: int) -> np.ndarray:
        calls[index] += 1
        return read(self, index)

    monkeypatch.setattr(NativeReader, "__call__", counting)
    stack = open_stack(_write(tmp_path / name))
    assert not calls, "opening reads no pixels"
    np.testing.assert_array_equal(np.asarray(stack.data[3]), MOVIE[3])
    assert calls == {3: 1}


def test_a_compressed_frame_reads_only_its_own_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    big = rng.integers(0, 60000, (20, 200, 200)).astype(np.uint16)
    path = tmp_path / "big.tif"
    tifffile.imwrite(path, big, compression="zlib")
    stack = open_stack(path)
    read_bytes = 0
    original = tifffile.FileHandle.read

    def counting(self: tifffile.FileHandle, size: int = -1, /) -> bytes:
        nonlocal read_bytes
        data = original(self, size)
        read_bytes += len(data)
        return data

    monkeypatch.setattr(tifffile.FileHandle, "read", counting)
    np.testing.assert_array_equal(np.asarray(stack.data[17]), big[17])
    assert 0 < read_bytes < 2 * path.stat().st_size / 20


def test_damage_in_one_frame_leaves_the_others_readable(tmp_path: Path) -> None:
    path = _write(tmp_path / "zlib.tif")
    with tifffile.TiffFile(path) as file:
        offset, length = file.pages[4].dataoffsets[0], file.pages[4].databytecounts[0]
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff" * length)
    stack = open_stack(path)
    np.testing.assert_array_equal(np.asarray(stack.data[3]), MOVIE[3])
    with pytest.raises(ImageFileError, match=r"Plane 4 of .*zlib\.tif cannot be read.*copy it"):
        np.asarray(stack.data[4])


def test_frames_of_a_folder_are_read_when_asked_for(tmp_path: Path) -> None:
    folder = _write(tmp_path / "folder")
    stack = open_stack(folder)
    for t in (0, 1, 3, 4, 5):
        (folder / f"t{t}.png").unlink()
    np.testing.assert_array_equal(np.asarray(stack.data[2]), MOVIE[2])


@pytest.mark.parametrize("name", ["raw.tif", "zlib.tif", "m.ome.zarr", "folder"])
def test_a_stack_travels_to_another_process(tmp_path: Path, name: str) -> None:
    stack = open_stack(_write(tmp_path / name))
    there = pickle.loads(pickle.dumps(stack))
    np.testing.assert_array_equal(np.asarray(there.data), MOVIE)


def test_chunks_are_planes(tmp_path: Path) -> None:
    stack = open_stack(_write(tmp_path / "m.ome.zarr"))
    assert stack.data.chunks == ((1,) * 6, (20,), (30,))


def test_a_changed_file_is_another_graph(tmp_path: Path) -> None:
    import os

    path = _write(tmp_path / "raw.tif")
    first = open_stack(path).data.name
    assert open_stack(path).data.name == first
    tifffile.imwrite(path, MOVIE + 1)
    os.utime(path, ns=(0, 1))
    assert open_stack(path).data.name != first


@pytest.mark.parametrize("name", ["raw.tif", "zlib.tif"])
def test_a_movie_that_was_moved_meanwhile_is_said_to_be_gone(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / name)
    stack = open_stack(path)
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(ImageFileError, match="was deleted, renamed or moved since it was opened"):
        np.asarray(stack.data[3])
