from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import tifffile
import torch

import napari_virtualstain as vs
from napari_virtualstain.engine import (
    AssumedPixelSizeWarning,
    MissingPlanesWarning,
    NonFiniteWarning,
    resolve_device,
)
from napari_virtualstain.errors import (
    AxesError,
    CancelledError,
    DeviceError,
    InputError,
    ModelError,
)
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.segmentation import segmenting
from napari_virtualstain.staining import Stainer, staining

PIXEL = {"pixel_size_um": 0.08, "device": "cpu"}


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


@pytest.fixture(scope="module")
def movie():
    return np.random.default_rng(0).normal(100, 10, (5, 40, 56)).astype(np.uint16)


@pytest.mark.parametrize(("function", "module"), [(vs.stain, staining), (vs.segment, segmenting)])
def test_typed_options_are_the_keywords_that_there_are(function, module) -> None:
    keywords = {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert set(module._Options.__annotations__) == keywords - {"uncertainty"}


def test_result_is_network_on_the_normalised_movie(model, movie) -> None:
    """Independent oracle: normalise by hand, run the bare network."""
    values = movie + np.random.default_rng(1).random(movie.shape)
    median = np.median(values, (1, 2), keepdims=True)
    scale = 1.4826 * np.median(np.median(abs(values - median), (1, 2)))
    with torch.inference_mode():
        inputs = torch.from_numpy(((values - median) / scale).astype(np.float32))[:, None]
        expected = model.network(inputs)[:, 0].numpy()
    stained = vs.stain(values, model, precision="float32", **PIXEL)
    assert stained.shape == movie.shape
    assert stained.dtype == np.float32
    np.testing.assert_allclose(stained, expected, atol=1e-3)


def test_output_is_brought_back_to_the_units_of_the_target(make_model, movie) -> None:
    normalised = vs.stain(movie, make_model(), **PIXEL)
    units = {"input": {}, "output": {"kind": "median_mad", "offset": 200, "scale": 30}}
    in_units = vs.stain(movie, make_model(normalisation=units), **PIXEL)
    np.testing.assert_allclose(in_units, normalised * 30 + 200, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 8), (33, 47), (2, 33, 47), (2, 3, 16, 20)])
def test_any_size_keeps_its_shape(model, shape) -> None:
    image = np.random.default_rng(1).random(shape)
    stained = vs.stain(image, model, **PIXEL)
    assert stained.shape == shape
    assert np.isfinite(stained).all()


@pytest.mark.parametrize("dtype", ["bool", "u1", "i2", ">u2", "u4", "f2", ">f4", "f8"])
def test_pixel_types_give_the_same_result(model, dtype) -> None:
    image = np.random.default_rng(2).random((32, 32)) > 0.5
    expected = vs.stain(image.astype(float), model, **PIXEL)
    np.testing.assert_allclose(vs.stain(image.astype(dtype), model, **PIXEL), expected, atol=1e-5)


def test_gain_and_offset_of_the_camera_do_not_matter(model, movie) -> None:
    stained = vs.stain(movie, model, **PIXEL)
    rescaled = vs.stain(movie * 3.5 + 1000.0, model, **PIXEL)
    np.testing.assert_allclose(rescaled, stained, atol=1e-3)


def test_dask_in_gives_lazy_dask_out(model, movie) -> None:
    reads = []

    def read(block, block_info=None):
        reads.append(1)
        return block

    lazy = da.from_array(movie, chunks=(2, 20, 56)).map_blocks(read, dtype=movie.dtype)
    reads.clear()
    stained = vs.stain(lazy, model, **PIXEL)
    assert not reads
    assert isinstance(stained, da.Array)
    assert stained.shape == movie.shape
    assert stained.chunks == ((1,) * 5, (40,), (56,))
    np.testing.assert_array_equal(stained.compute(), vs.stain(movie, model, **PIXEL))


def test_normalisation_is_per_movie_not_per_frame(model) -> None:
    rng = np.random.default_rng(3)
    movie = rng.normal(size=(4, 32, 32)) * np.array([1, 2, 3, 4])[:, None, None]
    together = vs.stain(movie, model, **PIXEL)
    alone = np.stack([vs.stain(frame, model, **PIXEL) for frame in movie])
    assert np.abs(together - alone).max() > 0.1 * np.ptp(together)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_lamp_that_changes_does_not_change_the_stain(model, movie, lazy) -> None:
    expected = vs.stain(movie, model, **PIXEL)
    lamp = np.array([0, 90, -60, 300, 20])[:, None, None]
    flickering = movie.astype(float) + lamp
    if lazy:
        flickering = da.from_array(flickering, chunks=(1, -1, -1))
    stained = np.asarray(vs.stain(flickering, model, **PIXEL))
    np.testing.assert_allclose(stained, expected, atol=1e-4 * np.ptp(expected))


def test_a_region_has_the_level_of_its_whole_frame(model) -> None:
    frame = np.random.default_rng(0).normal(100, 10, (1, 96, 96))
    frame[:, :, 48:] += 60
    stainer = Stainer(model, device="cpu", pixel_size_um=0.08)
    fitted = stainer.model.card.normalisation.input.fit(frame + 500)
    region = (slice(0, 20), slice(70, 96))
    whole = stainer.stain(frame, fitted).fluorescence
    part = stainer.stain(frame, fitted, region=region).fluorescence
    np.testing.assert_allclose(part, whole[region], atol=1e-4 * np.ptp(whole))


@pytest.mark.parametrize("lazy", [False, True])
def test_what_lies_under_a_mask_does_not_count(model, lazy) -> None:
    image = np.random.default_rng(5).normal(100, 10, (64, 64))
    masked = np.ma.masked_array(image.copy(), np.zeros((64, 64), bool))
    masked[20:24, 30:34] = 1e6
    masked[20:24, 30:34] = np.ma.masked
    given = da.from_array(masked, chunks=(64, 64)) if lazy else masked
    holed = masked.filled(np.nan).astype(np.float32)
    with pytest.warns(NonFiniteWarning):
        expected = vs.stain(holed, model, **PIXEL)
    with pytest.warns(NonFiniteWarning):
        stained = np.asarray(vs.stain(given, model, **PIXEL))
    np.testing.assert_allclose(stained, expected, atol=1e-3 * np.ptp(expected))


def test_a_tensor_that_is_being_trained_is_an_image_too(model) -> None:
    tensor = torch.rand(20, 24, requires_grad=True)
    expected = vs.stain(tensor.detach().numpy(), model, **PIXEL)
    np.testing.assert_array_equal(vs.stain(tensor, model, **PIXEL), expected)


def test_z_planes_are_stained_one_by_one(model, movie) -> None:
    stacked = movie[:4].reshape(2, 2, 40, 56)
    expected = vs.stain(movie[:4], model, **PIXEL).reshape(stacked.shape)
    np.testing.assert_allclose(vs.stain(stacked, model, **PIXEL), expected, atol=1e-5)


def test_an_unnamed_axis_is_that_along_which_the_model_reads(make_model, movie, tmp_path) -> None:
    model = make_model(inputs={"planes": 3, "axis": "z"})
    expected = vs.stain(movie, model, axes="zyx", **PIXEL)
    np.testing.assert_array_equal(vs.stain(movie, model, **PIXEL), expected)
    tifffile.imwrite(tmp_path / "unnamed.tif", movie)
    unnamed = vs.open_stack(tmp_path / "unnamed.tif")
    np.testing.assert_array_equal(vs.stain(unnamed, model, **PIXEL).data, expected)
    with pytest.warns(MissingPlanesWarning, match="reads 3 planes along z"):
        vs.stain(movie, model, axes="tyx", **PIXEL)


@pytest.mark.parametrize("axis", ["t", "z"])
def test_neighbouring_planes_reach_the_network(make_model, axis) -> None:
    """A network that returns its last channel shows which plane came there."""
    model = make_model(
        inputs={"planes": 3, "axis": axis}, normalisation={"input": {"kind": "none"}}
    )
    network = torch.nn.Conv2d(3, 1, 1, bias=False)
    network.weight.data = torch.tensor([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
    model = type(model)(network, model.card, "", model.path)
    planes = np.arange(6.0).reshape(2, 3, 1, 1) * np.ones((2, 3, 8, 8))
    expected = [[3, 4, 5], [3, 4, 5]] if axis == "t" else [[1, 2, 2], [4, 5, 5]]
    for image in (planes, da.from_array(planes, chunks=(1, 2, 8, 8))):
        stained = np.asarray(vs.stain(image, model, **PIXEL))
        assert stained[:, :, 4, 4].tolist() == expected


def test_a_rescaled_copy_is_stained_the_same(make_model) -> None:
    from scipy import ndimage

    model = make_model(normalisation={"input": {"kind": "none"}})
    image = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=(96, 96)), 4) * 10
    finer = ndimage.zoom(image, 2, order=3, mode="grid-mirror", grid_mode=True)
    stained = vs.stain(image, model, pixel_size_um=0.08, device="cpu")
    from_finer = vs.stain(finer, model, pixel_size_um=0.04, device="cpu")
    assert from_finer.shape == finer.shape
    binned = from_finer.reshape(96, 2, 96, 2).mean((1, 3))[8:-8, 8:-8]
    assert np.corrcoef(binned.ravel(), stained[8:-8, 8:-8].ravel())[0, 1] > 0.99
    not_rescaled = vs.stain(finer, model, pixel_size_um=0.08, device="cpu")
    wrong = not_rescaled.reshape(96, 2, 96, 2).mean((1, 3))[8:-8, 8:-8]
    assert (
        np.abs(binned - stained[8:-8, 8:-8]).std() < 0.3 * np.abs(wrong - stained[8:-8, 8:-8]).std()
    )


def test_a_missing_pixel_size_is_assumed_aloud(model, movie) -> None:
    with pytest.warns(AssumedPixelSizeWarning, match=r"not known; 0\.08"):
        stained = vs.stain(movie, model, device="cpu")
    np.testing.assert_array_equal(stained, vs.stain(movie, model, **PIXEL))


@pytest.mark.parametrize("size", [0, -1, float("nan"), 80.0, 1e-5])
def test_an_absurd_pixel_size_is_refused(model, movie, size) -> None:
    with pytest.raises(InputError, match="pixel size"):
        vs.stain(movie, model, pixel_size_um=size, device="cpu")


def test_not_a_number_stays_local_and_finite(model) -> None:
    image = np.random.default_rng(5).normal(100, 10, (192, 192))
    broken = image.copy()
    broken[90, 91], broken[92, 92] = np.nan, np.inf
    expected = vs.stain(image, model, **PIXEL)
    with pytest.warns(NonFiniteWarning, match=r"infinite \(2\)"):
        stained = vs.stain(broken, model, **PIXEL)
    assert np.isfinite(stained).all()
    np.testing.assert_allclose(stained[:20], expected[:20], atol=0.02 * np.ptp(expected))


@pytest.mark.parametrize(
    ("hot", "hotter", "same"), [(9e3, 9.9e3, False), (1.1e4, 3e4, True), (-1.1e4, -3e4, True)]
)
def test_a_hot_pixel_counts_up_to_ten_thousand_contrasts(make_model, hot, hotter, same) -> None:
    model = make_model(normalisation={"input": {"kind": "none"}})
    images = np.zeros((2, 32, 32), np.float32)
    images[:, 16, 16] = hot, hotter
    one, other = vs.stain(images, model, precision="float32", **PIXEL)
    assert np.array_equal(one, other) == same
    assert np.isfinite(one).all()


def test_a_frame_without_a_number_does_not_spoil_the_others(model, movie) -> None:
    broken = movie.astype(float)
    broken[2] = np.nan
    with pytest.warns(NonFiniteWarning):
        assert np.isfinite(vs.stain(broken, model, **PIXEL)).all()
    with pytest.raises(InputError, match="no finite value"):
        vs.stain(np.full((20, 20), np.nan), model, **PIXEL)


@pytest.mark.parametrize("value", [0, 255])
def test_constant_and_saturated_frames_stain_to_something_finite(model, value) -> None:
    assert np.isfinite(vs.stain(np.full((30, 30), value, np.uint8), model, **PIXEL)).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((0, 20, 20)), "empty"),
        (np.zeros(20), "expected .Y, X."),
        (np.zeros((20, 20), complex), "real numbers"),
        (np.zeros((64, 64, 3), np.uint8), "RGB"),
        (np.zeros((16, 16, 4), np.uint8), "RGB"),
        (np.array([["a"]]), "real numbers"),
        ([[1, 2], [3]], "rows of equal length"),
        (da.from_array(np.arange(9.0))[np.arange(9) > 3], "expected .Y, X."),
        (da.ones((20, 20))[da.ones(20) > 0], "compute_chunk_sizes"),
    ],
)
def test_what_is_no_image_is_refused(model, image, message) -> None:
    with pytest.raises(InputError, match=message):
        vs.stain(image, model, **PIXEL)


def test_axes_must_fit(model, movie) -> None:
    with pytest.raises(AxesError):
        vs.stain(movie, model, axes="yx", **PIXEL)


def test_a_segmenter_does_not_stain(make_model, movie) -> None:
    with pytest.raises(ModelError, match=r"needs a generator|a generator is needed"):
        vs.stain(movie, make_model(kind="segmenter"), **PIXEL)


def test_progress_counts_frames_of_a_movie_and_tiles_of_a_frame(model, movie) -> None:
    told = []
    vs.stain(movie, model, progress=told.append, **PIXEL)
    assert [(p.done, p.total, p.unit) for p in told] == [(i, 5, "frame") for i in range(1, 6)]
    told.clear()
    vs.stain(movie[0], model, tile=24, precision="float32", progress=told.append, **PIXEL)
    assert told[-1].unit == "tile"
    assert told[-1].done == told[-1].total == 6
    assert [p.done for p in told] == list(range(1, 7))


def test_cancelling_stops_at_the_next_tile(model, movie) -> None:
    token = CancelToken()
    told = []

    def cancel_at_two(progress) -> None:
        told.append(progress)
        if progress.done == 2:
            token.cancel()

    with pytest.raises(CancelledError):
        vs.stain(movie[0], model, tile=16, progress=cancel_at_two, cancel=token, **PIXEL)
    assert len(told) == 2


def test_averaging_over_turns_makes_the_result_turn_with_the_image(model) -> None:
    image = np.random.default_rng(6).normal(size=(40, 40))
    settings = {"average": True, **PIXEL}
    stained = vs.stain(image, model, **settings)
    turned = vs.stain(np.rot90(image).copy(), model, **settings)
    np.testing.assert_allclose(turned, np.rot90(stained), atol=1e-4 * np.ptp(stained))
    plain = vs.stain(image, model, **PIXEL)
    assert np.abs(plain - stained).max() > 1e-3 * np.ptp(stained)


def test_the_card_says_whether_to_average(make_model) -> None:
    image = np.random.default_rng(7).normal(size=(24, 40))
    model = make_model(inference={"test_time_augmentation": True})
    explicit = vs.stain(image, make_model(), average=True, **PIXEL)
    np.testing.assert_allclose(vs.stain(image, model, **PIXEL), explicit, atol=1e-5)


def test_predicted_uncertainty_is_the_laplace_deviation(make_model) -> None:
    units = {"output": {"kind": "fixed", "offset": 5, "scale": 7}, "input": {"kind": "none"}}
    model = make_model(outputs=["mean", "log_scale"], normalisation=units)
    image = np.random.default_rng(8).normal(size=(40, 48)).astype(np.float32)
    with torch.inference_mode():
        output = model.network(torch.from_numpy(image)[None, None])[0].numpy()
    mean, deviation = vs.stain(image, model, uncertainty=True, precision="float32", **PIXEL)
    np.testing.assert_allclose(mean, output[0] * 7 + 5, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(deviation, 7 * 2**0.5 * np.exp(output[1]), rtol=1e-3)


@pytest.mark.parametrize(
    ("log_scale", "counts_as"), [(19.5, 19.5), (25.0, 20.0), (-19.5, -19.5), (-25.0, -20.0)]
)
def test_a_predicted_log_scale_counts_up_to_twenty(make_model, log_scale, counts_as) -> None:
    model = make_model(outputs=["mean", "log_scale"])
    network = copy.deepcopy(model.network)
    with torch.no_grad():
        network.head.weight[1] = 0
        network.head.bias[1] = log_scale
    image = np.random.default_rng(8).normal(size=(40, 48))
    _, deviation = vs.stain(image, replace(model, network=network), uncertainty=True, **PIXEL)
    np.testing.assert_allclose(deviation, 2**0.5 * np.exp(counts_as), rtol=0.2)


def test_without_a_predicted_uncertainty_the_spread_over_turns_is_given(model, movie) -> None:
    mean, deviation = vs.stain(da.from_array(movie), model, uncertainty=True, **PIXEL)
    assert mean.shape == deviation.shape == movie.shape
    assert (deviation.compute() >= 0).all()
    ways = [
        np.rot90(vs.stain(np.rot90(movie, k, (1, 2)).copy(), model, **PIXEL), -k, (1, 2))
        for k in range(4)
    ]
    ways += [
        np.rot90(
            vs.stain(np.rot90(movie, k, (1, 2))[..., ::-1].copy(), model, **PIXEL)[..., ::-1],
            -k,
            (1, 2),
        )
        for k in range(4)
    ]
    np.testing.assert_allclose(deviation.compute(), np.std(ways, axis=0), rtol=1e-2, atol=1e-4)


def test_a_stainer_travels_to_another_process(model, movie) -> None:
    stainer = Stainer(model, device="cpu", pixel_size_um=0.08)
    stainer.network.predict(np.zeros((1, 1, 16, 16), np.float32))
    travelled = pickle.loads(pickle.dumps(stainer))
    assert "network" not in travelled.__dict__
    assert travelled.model.card == model.card


def test_unknown_devices_are_named_with_those_there_are() -> None:
    for name in ("cuda:99", "nonsense", "gpu" if not torch.cuda.is_available() else "cuda:98"):
        with pytest.raises(DeviceError, match=r"This machine has: .*processor \(cpu\)"):
            resolve_device(name)


def test_nothing_warns_when_everything_is_said(model, movie) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vs.stain(movie, model, **PIXEL)


def test_one_pass_of_a_plain_model_states_no_deviation(model, movie) -> None:
    stainer = Stainer(model, device="cpu", pixel_size_um=0.08)
    assert not stainer.averages
    fitted = stainer.card.normalisation.input.fit(movie[:1])
    assert stainer.stain(movie[:1], fitted).uncertainty is None
    assert stainer.with_uncertainty().stain(movie[:1], fitted).uncertainty is not None


def test_as_many_planes_as_the_model_reads(model, movie) -> None:
    stainer = Stainer(model, device="cpu", pixel_size_um=0.08)
    fitted = stainer.card.normalisation.input.fit(movie)
    with pytest.raises(InputError, match="3 planes were given but model 'test' reads 1"):
        stainer.stain(movie[:3], fitted)
