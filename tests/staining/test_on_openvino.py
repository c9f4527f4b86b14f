"""Movies stained and outlined on the device ``openvino``."""

from __future__ import annotations

import pickle

import dask.array as da
import numpy as np
import pytest
from openvino_device import needs_openvino

import napari_virtualstain as vs
from napari_virtualstain.engine import with_activation_ranges
from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.models import load_model
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.segmentation import Segmenter
from napari_virtualstain.settings import StainSettings
from napari_virtualstain.simulation import simulate
from napari_virtualstain.staining import Stainer, stain_to_file

pytestmark = needs_openvino
CHOSEN = {"pixel_size_um": 0.1, "device": "openvino"}


@pytest.fixture(scope="module")
def model(make_model):
    made = make_model(outputs=["mean", "log_scale"], inputs={"planes": 3, "axis": "t"})
    image = np.random.default_rng(1).normal(100, 10, (3, 70, 56))
    return with_activation_ranges(made, [image])


@pytest.fixture(scope="module")
def movie():
    return np.random.default_rng(0).normal(100, 10, (4, 70, 56)).astype(np.float32)


@pytest.mark.parametrize("average", [False, True])
def test_a_movie_is_stained_as_by_torch(model, movie, average: bool) -> None:
    found, expected = (
        vs.stain(
            movie, model, uncertainty=True, average=average, precision="float32", temporal=1, **to
        )
        for to in (CHOSEN, {**CHOSEN, "device": "cpu"})
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.ptp(other))


@pytest.mark.parametrize("precision", ["float32", "auto", "int8"])
def test_the_same_comes_again_lazily_and_on_two_at_once(model, movie, precision: str) -> None:
    options = {**CHOSEN, "precision": precision}
    expected = vs.stain(movie, model, **options)
    np.testing.assert_array_equal(vs.stain(movie, model, **options), expected)
    lazy = da.from_array(movie, chunks=(1, 70, 56))
    np.testing.assert_array_equal(vs.stain(lazy, model, **options), expected)
    twice = {**options, "device": "openvino,openvino"}
    np.testing.assert_array_equal(vs.stain(movie, model, **twice), expected)


def test_an_interrupted_run_goes_on_with_the_same_engine_only(model, movie, tmp_path) -> None:
    expected = stain_to_file(movie, tmp_path / "whole.ome.tif", model, **CHOSEN)
    out, token = tmp_path / "out.ome.tif", CancelToken()
    with pytest.raises(CancelledError):
        stain_to_file(
            movie,
            out,
            model,
            progress=lambda p: token.cancel() if p.done == 2 else None,
            cancel=token,
            **CHOSEN,
        )
    by_torch = {**CHOSEN, "device": "cpu"}
    with pytest.raises(InputError, match="another image, model or settings"):
        stain_to_file(movie, out, model, resume=True, **by_torch)
    stain_to_file(movie, out, model, resume=True, **CHOSEN)
    np.testing.assert_array_equal(vs.open_stack(out).data, vs.open_stack(expected).data)


def test_the_engine_travels_to_another_process(model) -> None:
    stainer = Stainer(model, StainSettings(precision="int8"), **CHOSEN)
    sent = pickle.loads(pickle.dumps(stainer))
    assert sent.note == stainer.note
    assert "int8 by OpenVINO" in sent.note


def test_mitochondria_are_outlined_as_by_torch() -> None:
    scene = simulate(frames=1, size=128, count=8, seed=1)
    model, plane = load_model("mito-segment"), scene.fluorescence[0]
    by_torch, found = (
        Segmenter(model, pixel_size_um=0.08, device=device, precision="float32")
        for device in ("cpu", "openvino")
    )
    expected = by_torch.maps(plane).foreground
    np.testing.assert_allclose(found.maps(plane).foreground, expected, atol=2 / 255)
    assert "by OpenVINO" in found.note
