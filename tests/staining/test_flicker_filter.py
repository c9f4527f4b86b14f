from __future__ import annotations

import numpy as np
import pytest

import napari_virtualstain as vs
from napari_virtualstain.engine.planes import Planes
from napari_virtualstain.errors import AxesError, CancelledError, InputError
from napari_virtualstain.models import Inputs
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.staining import flicker, stain_to_file, steady_in_place
from napari_virtualstain.staining.flicker import averaged_in_time
from napari_virtualstain.staining.flicker_filter import Steadying
from napari_virtualstain.staining.stainer import StainedPlane

SETTINGS = {"pixel_size_um": 0.08, "device": "cpu"}


@pytest.fixture(scope="module")
def movie():
    rng = np.random.default_rng(0)
    scene = 200 * rng.normal(size=(1, 24, 32))
    return (1000 + scene + rng.normal(0, 10, (9, 24, 32))).astype(np.uint16)


@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_planes_leave_filtered_in_whatever_order_they_come(movie, order) -> None:
    source = Planes(movie, "tyx", Inputs())
    steadying = Steadying(source, 2, 5.0, range(len(movie)))
    indices = steadying.needed
    assert indices == list(range(len(movie)))
    if order == "backward":
        indices = indices[::-1]
    elif order == "shuffled":
        indices = np.random.default_rng(1).permutation(indices).tolist()
    frames = movie.astype(np.float32)
    out = {}
    for index in indices:
        out.update(steadying.add(index, StainedPlane(frames[index])))
    assert sorted(out) == list(range(len(movie)))
    assert not steadying._held
    for t, plane in out.items():
        around = [frames[n] for n in range(max(0, t - 2), min(9, t + 3)) if n != t]
        np.testing.assert_allclose(
            plane.fluorescence, averaged_in_time(frames[t], around, 5.0), rtol=1e-6
        )


def test_few_planes_are_held_back(movie) -> None:
    stacks = np.stack([movie, movie], axis=1)
    steadying = Steadying(Planes(stacks, "tzyx", Inputs()), 1, 5.0, range(18))
    most = 0
    for index in steadying.needed:
        list(steadying.add(index, StainedPlane(np.zeros((4, 4), np.float32))))
        most = max(most, len(steadying._held))
    assert most <= 6  # three times of two planes


def test_a_stained_movie_flickers_less_and_is_resumed_the_same(make_model, movie, tmp_path) -> None:
    model = make_model(outputs=["mean", "log_scale"])
    plain = vs.open_stack(stain_to_file(movie, tmp_path / "p.ome.tif", model, **SETTINGS))
    error = tmp_path / "u.ome.tif"
    out = stain_to_file(
        movie, tmp_path / "s.ome.tif", model, temporal=2, uncertainty_out=error, **SETTINGS
    )
    steady = np.asarray(vs.open_stack(out).data)
    assert flicker(steady) < 0.7 * flicker(np.asarray(plain.data))
    assert vs.open_stack(error).shape == movie.shape

    token = CancelToken()

    def stop(progress) -> None:
        if progress.done == 4:
            token.cancel()

    again = {"temporal": 2, **SETTINGS}
    with pytest.raises(CancelledError):
        stain_to_file(movie, tmp_path / "r.ome.tif", model, progress=stop, cancel=token, **again)
    resumed = stain_to_file(movie, tmp_path / "r.ome.tif", model, resume=True, **again)
    np.testing.assert_array_equal(np.asarray(vs.open_stack(resumed).data), steady)


def test_a_movie_in_memory_is_filtered_where_it_is(movie) -> None:
    frames = movie.astype(np.float32)
    before = flicker(frames)
    volumes = np.stack([frames, frames[::-1]], axis=1)
    assert sorted(steady_in_place(frames, "tyx", 2)) == list(range(9))
    assert flicker(frames) < 0.7 * before
    list(steady_in_place(volumes, "tzyx", 2))
    np.testing.assert_allclose(volumes[::-1, 1], volumes[:, 0], rtol=1e-3)


def test_a_filter_needs_a_movie(make_model, movie, tmp_path) -> None:
    model = make_model()
    for image, axes, error, words in (
        (movie[0], None, AxesError, "no time axis|only be filtered"),
        (movie, "zyx", AxesError, "only be filtered"),
        (movie[:2], None, InputError, "three frames"),
    ):
        with pytest.raises(error, match=words):
            stain_to_file(image, tmp_path / "o.ome.tif", model, axes=axes, temporal=1, **SETTINGS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("radius", "fits"), [(1, True), (15, True), (0, False), (16, False)])
def test_the_filter_looks_1_to_15_frames_around(movie, radius: int, fits: bool) -> None:
    frames = movie.astype(np.float32)
    if fits:
        assert len(list(steady_in_place(frames, "tyx", radius))) == len(movie)
    else:
        with pytest.raises(InputError, match="expected 1 to 15"):
            list(steady_in_place(frames, "tyx", radius))
