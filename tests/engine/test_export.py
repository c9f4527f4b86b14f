from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import torch

from napari_virtualstain.engine import export, export_model
from napari_virtualstain.engine.export import _brief, _description
from napari_virtualstain.engine.receptive_field import network_halo, network_stride
from napari_virtualstain.errors import InputError, OutputExistsError


@pytest.fixture(scope="module")
def model(make_model):
    return make_model(outputs=["mean", "log_scale"])


def test_onnx_equals_torch_on_any_size(model, tmp_path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    path = export_model(model, tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for shape in ((1, 1, 64, 64), (2, 1, 40, 136)):
        image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        with torch.inference_mode():
            expected = model.network(torch.from_numpy(image)).numpy()
        (found,) = session.run(None, {"image": image})
        np.testing.assert_allclose(found, expected, atol=1e-3 * np.ptp(expected))
    card = {p.key: p.value for p in onnx.load(path).metadata_props}["card"]
    assert json.loads(card)["name"] == model.name


@pytest.mark.parametrize(("off", "is_written"), [(0.0009, True), (0.0011, False)])
def test_onnx_that_differs_by_a_thousandth_is_not_written(
    make_model, tmp_path, monkeypatch, off: float, is_written: bool
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = make_model()

    class Inexact:
        def __init__(self, *_, **__) -> None:
            pass

        def run(self, _, inputs):
            with torch.inference_mode():
                exact = model.network(torch.from_numpy(inputs["image"])).numpy()
            return (exact + off * max(1.0, np.ptp(exact)),)

    monkeypatch.setattr(runtime, "InferenceSession", Inexact)
    if is_written:
        assert export_model(model, tmp_path / "model.onnx").exists()
    else:
        with pytest.raises(InputError, match=r"differs from torch by 0\.0011 .* not written"):
            export_model(model, tmp_path / "model.onnx")
        assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(("letters", "whole"), [(128, 128), (129, 125)])
def test_a_description_is_cut_where_the_specification_ends(letters: int, whole: int) -> None:
    assert _brief("m" * letters) == "m" * whole + "..." * (letters > whole)


@pytest.mark.filterwarnings("ignore")  # of bioimageio.spec about itself
@pytest.mark.parametrize(("pixel_size_um", "nm"), [(0.108, 108.0), (None, 1.0)])
def test_a_package_says_what_sizes_the_network_takes_and_what_it_loses_at_the_border(
    make_model, tmp_path, monkeypatch, pixel_size_um: float | None, nm: float
) -> None:
    pytest.importorskip("bioimageio.spec")
    monkeypatch.setattr(export, "onnx_bytes", lambda model: b"network")
    model = make_model(outputs=["mean", "log_scale"], pixel_size_um=pixel_size_um)
    told = _description(model, tmp_path)
    (taken,), (given,) = told.inputs, told.outputs
    assert (taken.id, given.id) == ("image", "output")
    for tensor, channels in ((taken, ["plane0"]), (given, ["map0", "map1"])):
        batch, channel, *space = tensor.axes
        assert (batch.type, channel.channel_names) == ("batch", channels)
        assert [(axis.id, axis.scale) for axis in space] == [("y", nm), ("x", nm)]
        assert [axis.unit for axis in space] == 2 * ["nanometer" if pixel_size_um else None]
    halo, stride = network_halo(model.network), network_stride(model.network)
    low = 2 * halo + stride  # the smallest of which something is left
    for size in (axis.size for axis in taken.axes[2:]):
        assert (size.min, size.step) == (low, stride)
    for axis in given.axes[2:]:
        assert (axis.halo, axis.size.tensor_id, axis.size.axis_id) == (halo, "image", axis.id)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of bioimageio.core and xarray about themselves
def test_bioimageio_package_passes_its_own_test(model, tmp_path) -> None:
    core = pytest.importorskip("bioimageio.core")
    path = export_model(model, tmp_path / "model.zip")
    summary = core.test_description(path, expected_type="model")
    assert summary.status == "passed", summary.display()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of bioimageio.core and xarray about themselves
def test_a_segmenter_of_many_maps_is_packed_with_their_names(make_model, tmp_path) -> None:
    pytest.importorskip("bioimageio.core")
    maps = ["foreground", *(f"same as the pixel at {i},{-i}" for i in range(1, 10))]
    model = make_model(kind="segmenter", outputs=maps, segmentation={"asinh_gain": 5.0})
    with zipfile.ZipFile(export_model(model, tmp_path / "model.zip")) as package:
        told = package.read("README.md").decode()
    assert ", ".join(maps) in told
    assert "asinh(5 x)" in told


def test_bad_exports_are_refused(model, tmp_path) -> None:
    with pytest.raises(InputError, match=r"\.onnx or as \.zip"):
        export_model(model, tmp_path / "model.h5")
    (tmp_path / "there.onnx").write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        export_model(model, tmp_path / "there.onnx")
    assert (tmp_path / "there.onnx").read_bytes() == b"precious"
