"""Results that were not finished, and the former ones in whose place they came."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import OutputError
from napari_virtualstain.plugin.layers import result_arrays
from napari_virtualstain.plugin.layers.description import provenance, provenance_of
from napari_virtualstain.plugin.layers.replacing import settle_unfinished, take_over
from napari_virtualstain.plugin.layers.result_arrays import GIB, allocate


def _image(value: float, shape: tuple[int, ...] = (4, 8, 8)) -> Any:
    from napari.layers import Image

    record = provenance("stain", "cell", value=value)
    return Image(np.full(shape, value), name="stained · cell", metadata=record)


@pytest.mark.parametrize(("done", "is_there"), [(0, False), (1, True), (4, True)])
def test_a_result_of_no_frame_is_removed(viewer_model: Any, done: int, is_there: bool) -> None:
    layer = viewer_model.add_layer(_image(1.0))
    settle_unfinished(viewer_model, layer, None, done, 4)
    assert (layer in viewer_model.layers) == is_there
    name = "stained · cell" if done in (0, 4) else "stained · cell (1 of 4 frames)"
    assert layer.name == name
    assert ("unfinished" in provenance_of(layer)) == (done == 1)


@pytest.mark.parametrize("done", [0, 3])
def test_the_former_result_is_back_and_what_was_finished_has_its_own_layer(
    viewer_model: Any, done: int
) -> None:
    layer = viewer_model.add_layer(_image(1.0))
    former = take_over(viewer_model, _image(2.0))
    assert former is not None
    assert layer.data.max() == 2
    settle_unfinished(viewer_model, layer, former, done, 4)
    assert layer.data.max() == 1
    assert provenance_of(layer)["value"] == 1.0
    assert len(viewer_model.layers) == (1 if done == 0 else 2)
    if done:
        partly = viewer_model.layers[-1]
        assert partly.name == "stained · cell [1] (3 of 4 frames)"
        assert (partly.data.max(), partly.visible) == (2, False)
        # it is not replaced by the next result
        assert take_over(viewer_model, _image(3.0)).layer is layer


def test_results_of_other_places_kinds_and_painted_ones_are_not_replaced(
    viewer_model: Any,
) -> None:
    viewer_model.add_layer(_image(1.0))
    assert take_over(viewer_model, _image(2.0, (4, 8, 9))) is None
    moved = _image(2.0)
    moved.translate = (0, 1, 0)
    assert take_over(viewer_model, moved) is None
    other = _image(2.0)
    other.metadata = provenance("segment", "cell")
    assert take_over(viewer_model, other) is None
    provenance_of(viewer_model.layers[0])["painted"] = True
    assert take_over(viewer_model, _image(2.0)) is None


def test_a_removed_layer_is_left_alone(viewer_model: Any) -> None:
    layer = _image(1.0)
    settle_unfinished(viewer_model, layer, None, 1, 4)
    assert layer.name == "stained · cell"


@pytest.mark.parametrize(("size", "is_in_memory"), [(2**10, True), (2**10 + 1, False)])
def test_arrays_up_to_the_limit_stay_in_memory(
    tmp_path: Path, size: int, is_in_memory: bool
) -> None:
    array = allocate((size,), np.uint8, folder=tmp_path / "cache", memory_limit_gib=2**10 / GIB)
    assert array.shape == (size,)
    assert not array.any()
    assert isinstance(array, np.memmap) != is_in_memory
    assert (tmp_path / "cache").exists() != is_in_memory


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        allocate((9,), np.uint8, folder=tmp_path / "file" / "cache", memory_limit_gib=0)


@pytest.mark.parametrize(("free", "fits"), [(1024, True), (1023, False)])
def test_a_result_takes_no_more_than_the_disk_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, fits: bool
) -> None:
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(result_arrays.shutil, "disk_usage", lambda _: usage)
    given: dict[str, Any] = {"folder": tmp_path / "a" / "b", "memory_limit_gib": 0}
    if fits:
        assert allocate((4, 64), np.float32, **given).shape == (4, 64)
    else:
        with pytest.raises(OutputError, match="Free some, choose another cache folder"):
            allocate((4, 64), np.float32, **given)
        assert not list((tmp_path / "a" / "b").iterdir())


@pytest.mark.parametrize(("platform", "is_kept"), [("linux", True), ("win32", False)])
def test_where_a_file_outlives_its_array_the_next_one_removes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, is_kept: bool
) -> None:
    left = tmp_path / "virtualstain-before"
    left.mkdir()
    (left / "result.npy").write_bytes(b"old")
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(result_arrays.sys, "platform", platform)
    array = allocate((4, 4), np.uint8, folder=tmp_path, memory_limit_gib=0)
    assert left.exists() == is_kept
    assert (tmp_path / "mine").exists()
    assert array.sum() == 0


def test_a_cache_that_was_emptied_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", errors.append)
    array = allocate((4, 4), np.uint8, folder=tmp_path / "cache", memory_limit_gib=0)
    shutil.rmtree(tmp_path / "cache")
    del array
    assert errors == []
