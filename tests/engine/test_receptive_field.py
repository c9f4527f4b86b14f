from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_virtualstain.engine.receptive_field import (
    _probed_reach,
    _unet_reach,
    network_halo,
    smallest_input,
)
from napari_virtualstain.models import build_network


@settings(max_examples=4, deadline=None)
@given(
    levels=st.integers(1, 3),
    kernel=st.sampled_from([1, 3]),
    convolutions=st.integers(1, 2),
    half=st.booleans(),
)
def test_computed_reach_of_a_unet_equals_the_probed_one(
    levels: int, kernel: int, convolutions: int, half: bool
) -> None:
    arguments = {
        "widths": [2] * levels,
        "kernel": kernel,
        "convolutions": convolutions,
        "half_resolution": half,
    }
    network = build_network({"name": "unet", "arguments": arguments}).eval()
    computed, probed = _unet_reach(network), _probed_reach(network, network.stride)
    # cores begin on multiples of the stride, so only the block counts
    assert -(-computed // network.stride) == -(-probed // network.stride)


@pytest.mark.parametrize(("name", "halo"), [("compact", 56), ("paper", 208)])
def test_halo_of_the_architectures(name: str, halo: int) -> None:
    network = build_network({"name": name, "arguments": {"widths": [2, 2, 2, 2]}})
    assert network_halo(network) == halo


def test_a_network_that_sees_everything_has_no_halo() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.InstanceNorm2d(2), torch.nn.Conv2d(2, 1, 1)
    )
    assert network_halo(network) is None


def test_a_stated_halo_is_believed_and_rounded_up_to_the_stride() -> None:
    network = torch.nn.Conv2d(1, 1, 3)
    network.halo, network.stride = 5, 4
    assert network_halo(network) == 8


@pytest.mark.parametrize(("name", "size"), [("compact", 16), ("paper", 32)])
def test_smallest_input_is_the_smallest(name: str, size: int) -> None:
    network = build_network({"name": name, "arguments": {"widths": [2, 2, 2, 2]}}).eval()
    assert smallest_input(network) == size
    assert network(torch.zeros(1, 1, size, size)).shape[-1] == size
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 1, size - 8, size - 8))
