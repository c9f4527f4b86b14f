"""Networks run by OpenVINO: the maps of torch, and plain words where it cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from openvino_device import needs_openvino
from small_generators import randomised

from napari_virtualstain.engine import (
    TiledNetwork,
    compiled,
    devices,
    prepared,
    resolve_device,
    stop_inside,
)
from napari_virtualstain.engine.compiled import CompiledUNet, has_bfloat16
from napari_virtualstain.engine.prepared import PreparedNetwork, fold_batch_norm
from napari_virtualstain.errors import CancelledError, DeviceError
from napari_virtualstain.models import UNet, load_model
from napari_virtualstain.progress import CancelToken
from napari_virtualstain.training import TrainingConfig
from napari_virtualstain.training.device import compute_for

from .test_strips import NETWORKS


def _maps(network: UNet, size: tuple[int, int], frames: int = 1) -> tuple[torch.Tensor, ...]:
    folded = fold_batch_norm(network)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(frames, network.in_channels, *size, generator=generator)
    with torch.inference_mode():
        return folded(image), CompiledUNet(folded, "float32")(image)


@needs_openvino
@pytest.mark.parametrize("size", [(44, 60), (8, 16), (72, 20)])
@pytest.mark.parametrize("name", NETWORKS)
def test_compiled_maps_are_those_of_torch(name: str, size: tuple[int, int]) -> None:
    plain, found = _maps(randomised(UNet(**NETWORKS[name])), size, frames=2)
    assert found.shape == plain.shape
    assert float((found - plain).abs().max()) <= 1e-5 * float(plain.max() - plain.min())


@needs_openvino
@pytest.mark.parametrize("name", ["mito-h9c2", "mito-simulated", "mito-segment"])
def test_shipped_models_give_the_maps_of_torch(name: str) -> None:
    plain, found = _maps(load_model(name).network, (96, 160))
    spread = plain.amax((0, 2, 3)) - plain.amin((0, 2, 3))
    assert bool(((found - plain).abs().amax((0, 2, 3)) <= 1e-5 * spread).all())


@needs_openvino
def test_the_two_sizes_used_last_are_kept_and_all_come_out_the_same_again() -> None:
    network = fold_batch_norm(randomised(UNet(widths=(4, 6))))
    run = CompiledUNet(network, "float32")
    images = [torch.randn(1, 1, *size) for size in ((16, 20), (32, 64), (8, 8))]
    before = [run(image).clone() for image in images]
    assert [image.shape for image in images[1:]] == [key[1:] for key in run._requests]
    for image, expected in zip(images, before, strict=True):
        assert torch.equal(run(image), expected)
    assert len(run._requests) == 2
    run.release()
    assert torch.equal(run(images[0]), before[0])


@needs_openvino
def test_a_change_of_the_threads_is_followed() -> None:
    network = fold_batch_norm(randomised(UNet(widths=(4, 6))))
    run, image = CompiledUNet(network, "float32"), torch.randn(1, 1, 32, 32)
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(run(image).clone())
            compiled_model = run._requests[count, *image.shape].get_compiled_model()
            assert compiled_model.get_property("INFERENCE_NUM_THREADS") == count
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(*found)


@needs_openvino
def test_a_cancel_stops_openvino_within_a_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_LOOK_FOR_CANCEL_MS", 1)
    network, token = load_model("mito-simulated").network, CancelToken()
    stop_inside(network, lambda: token)
    engine = TiledNetwork(network, device="openvino")
    frame = np.random.default_rng(0).normal(size=(1, 1, 256, 256)).astype(np.float32)
    expected = engine.predict(frame)
    token.cancel()
    with pytest.raises(CancelledError):
        engine.predict(frame)
    token = CancelToken()
    np.testing.assert_array_equal(engine.predict(frame), expected)


@needs_openvino
@pytest.mark.parametrize("precision", ["bfloat16", "float16", "auto"])
def test_a_processor_without_half_precision_takes_float32(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(prepared, "has_bfloat16", lambda: False)
    network = randomised(UNet(widths=(4, 6)))
    assert TiledNetwork(network, device="openvino", precision=precision).precision == "float32"


@needs_openvino
def test_half_precision_of_openvino_stays_within_one_percent() -> None:
    if not has_bfloat16():
        pytest.skip("no instructions for bfloat16 here")
    network = randomised(UNet(widths=(4, 6, 8)))
    frame = np.random.default_rng(0).normal(size=(1, 1, 96, 96)).astype(np.float32)
    exact = TiledNetwork(network, device="openvino").predict(frame)
    fast = TiledNetwork(network, device="openvino", precision="bfloat16").predict(frame)
    assert 0 < np.abs(fast - exact).max() / np.ptp(exact) < 0.02


@needs_openvino
def test_a_network_that_is_no_unet_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"another network\. Choose the processor \(cpu\)"):
        PreparedNetwork(torch.nn.Conv2d(1, 1, 3, padding=1), resolve_device("openvino"), "float32")


@needs_openvino
def test_openvino_does_not_train() -> None:
    with pytest.raises(DeviceError, match=r"cannot train them\. Train on the processor"):
        compute_for(TrainingConfig(device="openvino"))


def test_what_installs_openvino_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_openvino", lambda: False)
    with pytest.raises(DeviceError, match=r'pip install "napari-virtualstain\[fast\]"'):
        resolve_device("openvino")
    assert "openvino" not in devices.available_devices()
