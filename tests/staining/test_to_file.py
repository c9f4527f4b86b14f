from __future__ import annotations

import os
from pathlib import Path

import dask.array as da
import numpy as np
import pytest

import napari_virtualstain as vs
from napari_virtualstain.errors import AxesError, CancelledError, InputError, OutputExistsError
from napari_virtualstain.io import Stack
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.staining import stain_to_file

SETTINGS = {"pixel_size_um": 0.08, "device": "cpu"}


@pytest.fixture(scope="module")
def model(make_model):
    return make_model(outputs=["mean", "log_scale"])


@pytest.fixture(scope="module")
def movie():
    return np.random.default_rng(0).normal(100, 10, (6, 40, 56)).astype(np.uint16)


@pytest.mark.parametrize("name", ["out.ome.tif", "out.ome.zarr"])
def test_file_equals_the_result_in_memory(model, movie, tmp_path, name) -> None:
    stack = Stack(da.from_array(movie, chunks=(1, 40, 56)), "tyx", 0.08, 2.0)
    path = stain_to_file(
        stack, tmp_path / name, model, uncertainty_out=tmp_path / f"u-{name}", device="cpu"
    )
    mean, deviation = vs.stain(movie, model, uncertainty=True, **SETTINGS)
    written = vs.open_stack(path)
    assert (written.axes, written.pixel_size_um, written.frame_interval_s) == ("tyx", 0.08, 2.0)
    np.testing.assert_allclose(written.data.compute(), mean, atol=1e-4)
    uncertain = vs.open_stack(tmp_path / f"u-{name}").data.compute()
    np.testing.assert_allclose(uncertain, deviation, rtol=1e-3)


def test_planes_of_a_time_lapse_of_stacks_keep_their_places(model, movie, tmp_path) -> None:
    stacked = movie.reshape(2, 3, 40, 56)
    path = stain_to_file(stacked, tmp_path / "out.ome.tif", model, axes="tzyx", **SETTINGS)
    written = vs.open_stack(path)
    assert written.axes == "tzyx"
    np.testing.assert_allclose(
        written.data.compute(), vs.stain(stacked, model, **SETTINGS), atol=1e-4
    )


def test_chosen_frames_only(model, movie, tmp_path) -> None:
    path = stain_to_file(movie, tmp_path / "a.ome.tif", model, frames="4,0:2", **SETTINGS)
    # a frame is stained as it is in the whole movie, which decides the normalisation
    expected = vs.stain(movie, model, **SETTINGS)[[4, 0, 1]]
    np.testing.assert_allclose(vs.open_stack(path).data.compute(), expected, atol=1e-4)
    with pytest.raises(InputError, match="no frame 6"):
        stain_to_file(movie, tmp_path / "b.ome.tif", model, frames="6", **SETTINGS)
    with pytest.raises(AxesError, match="no time axis"):
        stain_to_file(movie[0], tmp_path / "b.ome.tif", model, frames="0", **SETTINGS)


def test_chosen_frames_keep_their_neighbours_in_the_movie(make_model, movie, tmp_path) -> None:
    model = make_model(inputs={"planes": 3, "axis": "t"})
    path = stain_to_file(movie, tmp_path / "a.ome.tif", model, frames="1,4", **SETTINGS)
    expected = vs.stain(movie, model, **SETTINGS)[[1, 4]]
    np.testing.assert_allclose(vs.open_stack(path).data.compute(), expected, atol=1e-4)


def test_an_interrupted_run_is_resumed_without_doing_planes_twice(model, tmp_path) -> None:
    movie = np.random.default_rng(1).normal(100, 10, (5, 300, 900)).astype(np.float32)
    out, token, told = tmp_path / "out.ome.tif", CancelToken(), []

    def cancel_after_two(progress) -> None:
        told.append(progress.done)
        if progress.done == 2:
            token.cancel()

    with pytest.raises(CancelledError):
        stain_to_file(movie, out, model, progress=cancel_after_two, cancel=token, **SETTINGS)
    assert not out.exists()
    told.clear()
    stain_to_file(
        movie, out, model, resume=True, progress=lambda p: told.append(p.done), **SETTINGS
    )
    assert told[0] >= 2
    assert told[-1] == 5
    whole = vs.stain(movie, model, **SETTINGS)
    np.testing.assert_allclose(vs.open_stack(out).data.compute(), whole, atol=1e-4)


@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.zarr"])
def test_a_run_killed_between_its_two_renames_is_resumed(
    model, movie, tmp_path, monkeypatch, suffix
) -> None:
    out, error = tmp_path / f"s{suffix}", tmp_path / f"u{suffix}"
    replace = os.replace

    def killed_at_the_second(old, new) -> None:
        if Path(new) == out:
            raise KeyboardInterrupt
        replace(old, new)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", killed_at_the_second)
        stain_to_file(movie, out, model, uncertainty_out=error, **SETTINGS)
    assert error.exists()
    assert not out.exists()
    before = vs.open_stack(error).data.compute()
    stain_to_file(movie, out, model, uncertainty_out=error, resume=True, **SETTINGS)
    assert {path.name for path in tmp_path.iterdir()} == {out.name, error.name}
    stained, deviation = vs.stain(movie, model, uncertainty=True, **SETTINGS)
    np.testing.assert_allclose(vs.open_stack(out).data.compute(), stained, atol=1e-4)
    np.testing.assert_array_equal(vs.open_stack(error).data.compute(), before)
    np.testing.assert_allclose(before, deviation, rtol=1e-3)


def test_an_uncertainty_of_another_run_is_not_taken_for_that_of_this(
    model, movie, tmp_path
) -> None:
    out, error, token = tmp_path / "s.ome.tif", tmp_path / "u.ome.tif", CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        stain_to_file(movie, out, model, cancel=token, **SETTINGS)
    error.write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        stain_to_file(movie, out, model, uncertainty_out=error, resume=True, **SETTINGS)
    assert error.read_bytes() == b"precious"


def test_another_model_does_not_resume_the_run_of_the_first(
    model, make_model, movie, tmp_path
) -> None:
    out, token = tmp_path / "out.ome.tif", CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        stain_to_file(movie, out, model, cancel=token, **SETTINGS)
    with pytest.raises(InputError, match="another image, model or settings"):
        stain_to_file(movie, out, make_model(), resume=True, **SETTINGS)


def test_existing_output_is_kept_unless_overwriting(model, movie, tmp_path) -> None:
    out = tmp_path / "out.ome.tif"
    out.write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        stain_to_file(movie, out, model, **SETTINGS)
    assert out.read_bytes() == b"precious"
    stain_to_file(movie, out, model, overwrite=True, **SETTINGS)
    assert vs.open_stack(out).shape == movie.shape
