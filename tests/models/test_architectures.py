"""Networks: sizes of the paper, invariances, refused arguments."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_virtualstain.errors import ModelError
from napari_virtualstain.models import Discriminator, build_network, unet_arguments
from napari_virtualstain.models.unet import _trainable_relu


def _parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_paper_generator_has_the_published_size() -> None:
    network = build_network({"name": "paper"})
    # 15.9 M: an independent re-implementation of section 2.3
    assert _parameters(network) == pytest.approx(15.9e6, rel=0.01)
    kernels = {m.kernel_size for m in network.modules() if isinstance(m, torch.nn.Conv2d)}
    assert kernels == {(7, 7), (1, 1)}
    assert all(
        m.padding_mode == "reflect"
        for m in network.modules()
        if hasattr(m, "padding_mode") and m.kernel_size == (7, 7)
    )


def test_compact_generator_is_an_eighth_of_it() -> None:
    assert _parameters(build_network({"name": "compact"})) == pytest.approx(1.95e6, rel=0.02)


def test_discriminator_ends_at_2048_features_for_256_pixel_crops() -> None:
    network = Discriminator()
    assert network.head[0].in_features == 2048
    with torch.device("meta"):
        features = Discriminator().features(torch.empty(2, 1, 256, 256))
    assert features.shape == (2, 2048, 8, 8)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 1 + 5 * 2


def test_the_discriminator_lets_a_fifth_of_what_is_negative_through() -> None:
    network = Discriminator(width=1, blocks=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
            if parameter.ndim == 4:
                parameter[:, :, 1, 1] = 1
            elif parameter.ndim == 2:
                parameter.copy_(torch.eye(*parameter.shape))
    for value, logit in ((1.0, 1.0), (-1.0, -(0.2**4))):
        found = network(torch.full((1, 1, 16, 16), value))
        torch.testing.assert_close(found, torch.tensor([[logit]]))


def test_discriminator_probability_is_the_sigmoid_of_its_logit() -> None:
    network = Discriminator(width=2, blocks=2)
    image = torch.randn(3, 1, 32, 32)
    torch.testing.assert_close(network.probability(image), torch.sigmoid(network(image)))


def test_unet_commutes_with_flips_when_its_kernels_do() -> None:
    network = build_network({"name": "unet", "arguments": {"widths": [4, 8]}}).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.copy_((parameter + parameter.flip(-1)) / 2)
        image = torch.randn(1, 1, 16, 24)
        torch.testing.assert_close(
            network(image.flip(-1)), network(image).flip(-1), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize(("activation", "low", "high"), [("relu", 0, None), ("sigmoid", 0, 1)])
def test_output_activation_bounds_the_output(
    activation: str, low: float, high: float | None
) -> None:
    arguments = {"widths": [4], "output_activation": activation}
    network = build_network({"name": "unet", "arguments": arguments})
    with torch.no_grad():
        output = 30 * network(30 * torch.randn(1, 1, 32, 32)) / 30
    assert output.min() >= low
    assert high is None or output.max() <= high


def test_a_relu_output_learns_a_tenth_where_it_is_nought() -> None:
    output = torch.tensor([-2.0, 3.0], requires_grad=True)
    made = _trainable_relu(output)
    made.sum().backward()
    assert made.tolist() == [0, 3]
    torch.testing.assert_close(output.grad, torch.tensor([0.1, 1.0]))


def test_a_relu_output_that_has_died_comes_back() -> None:
    network = build_network(
        {"name": "unet", "arguments": {"widths": [4], "output_activation": "relu"}}
    )
    image = torch.randn(2, 1, 16, 16)
    with torch.no_grad():
        network.head.bias.fill_(-3.0)
        assert (network.eval()(image) == 0).all()
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        output = network(image)
        (output - 0.5).abs().mean().backward()
        optimizer.step()
    assert output.min() >= 0
    assert (network.eval()(image) > 0).float().mean() > 0.9


def test_replicated_input_equals_three_equal_channels() -> None:
    torch.manual_seed(0)
    replicated = build_network({"name": "unet", "arguments": {"widths": [4], "replicate": 3}})
    three = build_network({"name": "unet", "arguments": {"widths": [4], "in_channels": 3}})
    three.load_state_dict(replicated.state_dict())
    image = torch.randn(1, 1, 16, 16)
    replicated.eval(), three.eval()
    torch.testing.assert_close(replicated(image), three(image.repeat(1, 3, 1, 1)))


def test_at_half_resolution_a_network_costs_a_quarter_and_keeps_the_size() -> None:
    def multiplications(**arguments: object) -> int:
        network = build_network({"name": "unet", "arguments": {"widths": [4, 8], **arguments}})
        made: list[int] = []
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(
                    lambda m, _, out: made.append(m.weight.numel() * out[0, 0].numel())
                )
        assert network(torch.zeros(1, 1, 32, 48)).shape == (1, 1, 32, 48)
        return sum(made)

    share = multiplications(half_resolution=True) / multiplications()
    assert 0.25 < share < 0.28  # above a quarter by the first layer, which reads four channels


def test_at_half_resolution_no_pixel_of_the_input_is_lost() -> None:
    network = build_network(
        {"name": "unet", "arguments": {"widths": [4], "half_resolution": True, "kernel": 1}}
    ).eval()
    image = torch.rand(1, 1, 8, 8, requires_grad=True)
    network(image).sum().backward()
    assert bool((image.grad != 0).all())


@pytest.mark.parametrize(
    "arguments",
    [
        {"widths": [10**9]},
        {"widths": []},
        {"widths": [0]},
        {"kernel": 4},
        {"kernel": 10**6},
        {"convolutions": 10**6},
        {"in_channels": -1},
        {"colour": "red"},
        {"widths": "wide"},
    ],
)
def test_impossible_arguments_are_refused_before_anything_is_allocated(arguments: dict) -> None:
    with pytest.raises(ModelError, match="cannot have"):
        build_network({"name": "unet", "arguments": arguments})


@pytest.mark.parametrize(
    ("name", "most", "beyond"),
    [
        ("in_channels", 64, 65),
        ("out_channels", 64, 65),
        ("widths", 8 * [2], 9 * [2]),
        ("kernel", 15, 17),
        ("convolutions", 6, 7),
        ("replicate", 16, 17),
        ("dropout", 0.99, 1),
        ("dropout", 0, -0.01),
        ("in_channels", 1, 0),
        ("out_channels", 1, 0),
        ("convolutions", 1, 0),
        ("kernel", 1, -1),
        ("replicate", 1, 0),
    ],
)
def test_a_file_may_ask_for_so_large_a_network_and_no_larger(name: str, most, beyond) -> None:
    arguments = unet_arguments({"name": "unet", "arguments": {name: most}})
    assert getattr(arguments, name) == (tuple(most) if name == "widths" else most)
    with pytest.raises(ModelError, match=name):
        unet_arguments({"name": "unet", "arguments": {name: beyond}})


def test_unknown_architecture_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match="compact, paper, unet"):
        build_network({"name": "transformer"})


def test_presets_can_be_changed() -> None:
    assert unet_arguments({"name": "paper", "arguments": {"kernel": 3}}).kernel == 3
    assert unet_arguments({"name": "paper", "arguments": {"kernel": 3}}).convolutions == 3


def test_listing_models_needs_no_torch() -> None:
    code = (
        "import sys; from napari_virtualstain.models import list_models, ModelCard; list_models();"
        "print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def test_a_network_is_at_most_2048_channels_wide() -> None:
    widest = unet_arguments({"name": "unet", "arguments": {"widths": [2048]}})
    assert widest.widths == (2048,)
    with pytest.raises(ModelError, match="between 1 and 2048"):
        unet_arguments({"name": "unet", "arguments": {"widths": [2049]}})
