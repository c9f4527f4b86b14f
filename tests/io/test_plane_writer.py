"""Killed at any moment, a run resumes; what is not whole does not look whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_virtualstain.errors import (
    AxesError,
    InputError,
    OutputError,
    OutputExistsError,
)
from napari_virtualstain.io import PlaneWriter, open_plane_writer, open_stack

FRAMES = np.random.default_rng(5).normal(size=(6, 12, 14)).astype(np.float32)
NAMES = ["out.ome.tif", "out.ome.zarr"]


def _open(path: Path, **options: object) -> PlaneWriter:
    return open_plane_writer(
        path,
        shape=FRAMES.shape,
        dtype="f4",
        axes="tyx",
        pixel_size_um=0.08,
        **options,  # type: ignore[arg-type]
    )


def _interrupt(path: Path, planes: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), _open(path) as writer:
        for index in planes:
            writer.write(index, FRAMES[index])
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", NAMES)
def test_planes_in_any_order_make_the_image(tmp_path: Path, name: str) -> None:
    with _open(tmp_path / name) as writer:
        for index in (3, 0, 5, 1, 4, 2):
            assert not writer.is_done(index)
            writer.write(index, FRAMES[index])
            assert writer.is_done(index)
            assert not (tmp_path / name).exists()
    stack = open_stack(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(stack.data), FRAMES)
    assert stack.pixel_size_um == 0.08
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_run_resumes_with_what_was_done(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    _interrupt(path, [0, 1, 4])
    assert not path.exists()
    with _open(path, resume=True) as writer:
        assert [writer.is_done(i) for i in range(6)] == [True, True, False, False, True, False]
        np.testing.assert_array_equal(writer.read(4), FRAMES[4])
        for index in (2, 3, 5):
            writer.write(index, FRAMES[index])
    np.testing.assert_array_equal(np.asarray(open_stack(path).data), FRAMES)


@pytest.mark.parametrize("name", NAMES)
def test_without_resume_an_interrupted_run_starts_anew(tmp_path: Path, name: str) -> None:
    _interrupt(tmp_path / name, [0, 1])
    with pytest.raises(OutputError, match="6 of 6 planes were not"), _open(tmp_path / name):
        pass


@pytest.mark.parametrize("name", NAMES)
def test_a_plane_whose_bytes_were_lost_is_not_done(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    _interrupt(path, [0, 1, 2])
    partial = tmp_path / f"{name}.partial"
    if partial.is_dir():
        (partial / "0" / "c" / "1" / "0" / "0").write_bytes(b"torn")
    else:
        content = partial.read_bytes()
        at = content.index(FRAMES[1].tobytes())
        partial.write_bytes(content[:at] + bytes(50) + content[at + 50 :])
    with pytest.raises(OutputError, match="4 of 6 planes"), _open(path, resume=True) as writer:
        assert [writer.is_done(i) for i in range(4)] == [True, False, True, False]


def test_a_journal_line_torn_by_a_kill_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "out.ome.tif"
    _interrupt(path, [0, 1])
    journal = tmp_path / "out.ome.tif.partial.journal"
    journal.write_text(journal.read_text()[:-4])
    with _open(path, resume=True) as writer:
        assert [writer.is_done(i) for i in range(3)] == [True, False, False]
        for index in range(1, 6):
            writer.write(index, FRAMES[index])
    np.testing.assert_array_equal(np.asarray(open_stack(path).data), FRAMES)


@pytest.mark.parametrize("name", NAMES)
def test_killed_without_warning_at_any_frame(tmp_path: Path, name: str) -> None:
    code = (
        "import sys, os, signal, numpy as np\n"
        "from napari_virtualstain.io import open_plane_writer\n"
        "frames = np.random.default_rng(5).normal(size=(6, 12, 14)).astype('f4')\n"
        "with open_plane_writer(sys.argv[1], shape=frames.shape, dtype='f4', axes='tyx',\n"
        "                       pixel_size_um=0.08) as writer:\n"
        "    for index in range(4):\n"
        "        writer.write(index, frames[index])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / name
    done = subprocess.run([sys.executable, "-c", code, str(path)], env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    with _open(path, resume=True) as writer:
        assert [writer.is_done(i) for i in range(6)] == [True] * 4 + [False] * 2
        writer.write(4, FRAMES[4])
        writer.write(5, FRAMES[5])
    np.testing.assert_array_equal(np.asarray(open_stack(path).data), FRAMES)


def test_a_torn_chunk_of_a_killed_run_is_not_in_the_image(tmp_path: Path) -> None:
    """zarr writes each chunk beside its place and renames it; a kill leaves the former."""
    path = tmp_path / "m.ome.zarr"
    options: dict[str, Any] = {"shape": (2, 8, 8), "dtype": "uint16", "axes": "tyx"}
    with pytest.raises(OutputError), open_plane_writer(path, **options) as writer:
        writer.write(0, np.ones((8, 8)))
    [chunk] = (tmp_path / "m.ome.zarr.partial").glob("0/c/*/0/0")
    chunk.with_suffix(".0123.partial").write_bytes(b"torn")
    with open_plane_writer(path, resume=True, **options) as writer:
        writer.write(1, np.ones((8, 8)))
    assert list(path.rglob("*partial*")) == []
    np.testing.assert_array_equal(open_stack(path).data, np.ones((2, 8, 8)))


def test_a_run_with_other_settings_cannot_go_on(tmp_path: Path) -> None:
    path = tmp_path / "out.ome.tif"
    with pytest.raises(KeyboardInterrupt), _open(path, settings="model a") as writer:
        writer.write(0, FRAMES[0])
        raise KeyboardInterrupt
    with (
        pytest.raises(InputError, match="begun with another image, model or settings"),
        _open(path, settings="model b", resume=True),
    ):
        pass
    with pytest.raises(OutputError), _open(path, settings="model a", resume=True) as writer:
        assert writer.is_done(0), "a refused resume destroys nothing"


def test_a_complete_output_has_nothing_to_resume(tmp_path: Path) -> None:
    with _open(tmp_path / "out.ome.tif") as writer:
        for index in range(6):
            writer.write(index, FRAMES[index])
    with pytest.raises(OutputExistsError, match="already complete"):
        _open(tmp_path / "out.ome.tif", resume=True)


def test_the_old_image_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.ome.tif"
    with _open(path) as writer:
        for index in range(6):
            writer.write(index, FRAMES[index])
    with pytest.raises(RuntimeError), _open(path, overwrite=True) as writer:
        writer.write(0, FRAMES[0] + 1)
        raise RuntimeError
    np.testing.assert_array_equal(np.asarray(open_stack(path).data), FRAMES)


def test_wrong_planes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError), _open(tmp_path / "out.ome.tif") as writer:
        with pytest.raises(InputError, match="Plane 6 does not exist: expected 0 to 5"):
            writer.write(6, FRAMES[0])
        with pytest.raises(InputError, match=r"shape \(3, 4\): expected \(12, 14\)"):
            writer.write(0, np.zeros((3, 4)))
        with pytest.raises(InputError, match="has not been written yet"):
            writer.read(0)
    with pytest.raises(AxesError, match="expected the order"):
        open_plane_writer(tmp_path / "a.tif", shape=(2, 2, 3, 4), dtype="f4", axes="ctyx")
    with pytest.raises(InputError, match="holds no pixels"):
        open_plane_writer(tmp_path / "a.tif", shape=(0, 3, 4), dtype="f4", axes="tyx")


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 6), st.sampled_from(NAMES))
def test_interrupted_anywhere_in_any_order_the_result_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], stop: int, name: str
) -> None:
    path = tmp_path_factory.mktemp("any") / name
    _interrupt(path, order[:stop])
    with _open(path, resume=True) as writer:
        for index in range(6):
            if not writer.is_done(index):
                writer.write(index, FRAMES[index])
    np.testing.assert_array_equal(np.asarray(open_stack(path).data), FRAMES)
