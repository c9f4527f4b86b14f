"""Integers of 8 bits: ranges that travel with a model, and what is said where there are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from openvino_device import needs_openvino
from small_generators import randomised
from torch import nn

import napari_virtualstain as vs
from napari_virtualstain.engine import (
    TiledNetwork,
    activation_ranges,
    resolve_device,
    with_activation_ranges,
)
from napari_virtualstain.engine.compiled import graph_of
from napari_virtualstain.engine.prepared import PreparedNetwork, fold_batch_norm
from napari_virtualstain.errors import InputError, ModelError
from napari_virtualstain.metrics import bandpass_pearson, object_scores, pearson
from napari_virtualstain.models import ModelCard, UNet, list_models, load_model, save_model
from napari_virtualstain.simulation import simulate

NETWORK = randomised(UNet(widths=(4, 6, 8), narrow_upsampling=True, out_channels=2))
IMAGES = [np.random.default_rng(seed).normal(size=(1, 64, 48)).astype("f4") for seed in range(3)]


def _largest_read(network: nn.Module, image: np.ndarray) -> dict[str, tuple[float, float]]:
    """The range of what each convolution reads, by hooks on the network without BatchNorm."""
    found: dict[str, tuple[float, float]] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, given, name=name: found.update(
                    {name: (float(given[0].min()), float(given[0].max()))}
                )
            )
    with torch.inference_mode():
        network(torch.from_numpy(image[None]))
    return found


def test_ranges_are_those_of_the_inner_convolutions_without_the_outermost_values() -> None:
    ranges = activation_ranges(NETWORK, IMAGES)
    read = [_largest_read(fold_batch_norm(NETWORK), image) for image in IMAGES]
    assert list(ranges) == [name for name in read[0] if name not in ("down.0.0", "head")]
    for name, (low, high) in ranges.items():
        lowest = min(one[name][0] for one in read)
        highest = max(one[name][1] for one in read)
        assert lowest <= low < 0 < high <= highest
        assert high - low > 0.8 * (highest - lowest)


@pytest.mark.parametrize(("pixels", "is_inside"), [(1, False), (2, True)])
@pytest.mark.parametrize("sign", [1, -1])
def test_one_value_in_ten_thousand_is_outside_the_ranges_at_either_end(
    pixels: int, sign: int, is_inside: bool
) -> None:
    network = UNet(widths=(1,), convolutions=2, kernel=1, batch_norm=False)
    with torch.no_grad():
        network.down[0][0].weight.fill_(1.0)
        network.down[0][0].bias.fill_(20.0)
    image = np.random.default_rng(0).random((1, 100, 100)).astype(np.float32)
    image[0, 7, :pixels] = sign * 10
    ((low, high),) = activation_ranges(network, [image]).values()
    assert (max(20 - low, high - 20) == pytest.approx(10)) == is_inside
    assert min(abs(low - 20), abs(high - 20)) < 1


def test_a_hot_value_does_not_stretch_the_ranges() -> None:
    image = np.random.default_rng(0).normal(size=(1, 256, 256)).astype(np.float32)
    hot = image.copy()
    hot[0, 100, 100] = 1e4
    usual, stretched = (activation_ranges(NETWORK, [one]) for one in (image, hot))
    assert stretched["down.0.2"][1] < 1.5 * usual["down.0.2"][1]


def test_another_network_has_no_ranges() -> None:
    assert activation_ranges(nn.Conv2d(1, 1, 3), IMAGES) == {}


def test_int8_without_openvino_and_without_ranges_says_what_to_do() -> None:
    with pytest.raises(InputError, match="needs OpenVINO: choose the device openvino"):
        TiledNetwork(NETWORK, device="cpu", precision="int8", ranges={"down.0.2": (0.0, 1.0)})


@needs_openvino
def test_a_model_without_ranges_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="Choose another precision, train it on with"):
        TiledNetwork(NETWORK, device="openvino", precision="int8")


@needs_openvino
def test_convolutions_with_ranges_run_in_8_bits() -> None:
    import openvino

    ranges = activation_ranges(NETWORK, IMAGES)
    graph = graph_of(fold_batch_norm(NETWORK), (1, 1, 64, 48), ranges)
    exact_elsewhere = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(graph, "CPU", exact_elsewhere)
    kinds = [
        node.rt_info["runtimePrecision"].astype(str)
        for node in compiled.get_runtime_model().get_ops()
        if node.rt_info["layerType"].astype(str) == "Convolution"
    ]
    assert len(kinds) == len(ranges) + 2
    assert sum(kind in ("i8", "u8") for kind in kinds) == len(ranges)


def _error(found: np.ndarray, exact: np.ndarray) -> float:
    return float(((found - exact).std((2, 3)) / exact.std((2, 3))).max())


@needs_openvino
def test_int8_is_close_to_float32_and_the_same_each_time() -> None:
    ranges = activation_ranges(NETWORK, IMAGES)
    engine = TiledNetwork(NETWORK, device="openvino", precision="int8", ranges=ranges)
    frame = np.random.default_rng(9).normal(size=(1, 1, 90, 70)).astype(np.float32)
    found = engine.predict(frame)
    exact = TiledNetwork(NETWORK, device="cpu").predict(frame)
    # a trained network has more channels, over which errors average
    assert 0 < _error(found, exact) < 0.2
    again = TiledNetwork(NETWORK, device="openvino", precision="int8", ranges=ranges)
    np.testing.assert_array_equal(again.predict(frame), found)
    narrow = {name: (low / 4, high / 4) for name, (low, high) in ranges.items()}
    cut = TiledNetwork(NETWORK, device="openvino", precision="int8", ranges=narrow)
    assert _error(cut.predict(frame), exact) > 0.4


@needs_openvino
@pytest.mark.parametrize("tile", [16, 40])
def test_tiled_equals_whole_in_8_bits(tile: int) -> None:
    ranges = activation_ranges(NETWORK, IMAGES)
    frame = np.random.default_rng(9).normal(size=(1, 1, 210, 70)).astype(np.float32)
    whole, tiled = (
        TiledNetwork(
            NETWORK, device="openvino", tile=side, precision="int8", ranges=ranges
        ).predict(frame)
        for side in (512, tile)
    )
    assert np.abs(tiled - whole).max() <= 1e-4 * np.ptp(whole)


def test_measured_ranges_travel_in_the_file(tmp_path, make_model) -> None:
    model = with_activation_ranges(make_model(), [100 + 10 * image for image in IMAGES])
    path = save_model(tmp_path / "measured.safetensors", model.network, model.card)
    kept = load_model(path).card.activation_ranges
    assert kept == model.card.activation_ranges
    assert len(kept) > 3


def test_ranges_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        ModelCard(name="a", activation_ranges={"down.0.2": (0.0, float("nan"))})


def test_shipped_models_have_ranges() -> None:
    for entry in [*list_models("generator"), *list_models("segmenter")]:
        if entry.source == "shipped":
            assert entry.card.activation_ranges, entry.name


@needs_openvino
def test_int8_keeps_the_scores_of_a_shipped_model() -> None:
    scene = simulate(frames=1, size=256, count=20, seed=5)
    light, truth = scene.bright_field[0], scene.fluorescence[0]
    exact, integer = (
        vs.stain(light, "mito-simulated", pixel_size_um=0.08, device=device, precision=precision)
        for device, precision in (("cpu", "float32"), ("openvino", "int8"))
    )
    for score in (pearson, bandpass_pearson):
        assert abs(score(integer, truth) - score(exact, truth)) < 0.01


@needs_openvino
def test_int8_outlines_what_float32_outlines() -> None:
    scene = simulate(frames=1, size=256, count=20, seed=5)
    exact, integer = (
        vs.segment(scene.fluorescence[0], pixel_size_um=0.08, device=device, precision=precision)
        for device, precision in (("cpu", "float32"), ("openvino", "int8"))
    )
    scores = object_scores(integer, exact)
    assert scores["iou"] > 0.98
    assert scores["f1"] > 0.95


@needs_openvino
def test_a_network_without_a_bias_or_with_empty_channels_is_quantised_too() -> None:
    network = UNet(widths=(4, 4), batch_norm=False)
    nn.init.zeros_(network.down[0][2].weight)
    ranges = activation_ranges(network.eval(), IMAGES)
    prepared = PreparedNetwork(network, resolve_device("openvino"), "int8", ranges)
    assert bool(prepared(torch.zeros(1, 1, 16, 16)).isfinite().all())
