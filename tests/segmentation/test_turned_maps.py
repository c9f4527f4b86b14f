"""Averaging over turns: maps of pairs keep their meaning, and labels turn with the image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.segmentation import Segmenter, segment
from napari_virtualstain.segmentation.affinities import pixels_with_partner, step_directions
from napari_virtualstain.segmentation.turned_maps import averaged_over_turns

STEPS = step_directions([3, 7], [4, 8])


def pairs_of(labels: np.ndarray) -> np.ndarray:
    """What a perfect network says: foreground, and for each step whether both are one."""
    maps = np.zeros((1 + len(STEPS), *labels.shape), np.float32)
    maps[0] = labels > 0
    for channel, step in enumerate(STEPS, start=1):
        here, there = pixels_with_partner(step, labels.shape)
        maps[channel][here] = labels[here] == labels[there]
    return maps


def test_pairs_keep_their_meaning_whichever_way_the_plane_lies() -> None:
    labels = np.kron(np.random.default_rng(0).integers(0, 3, (8, 11)), np.ones((3, 3))).astype(int)
    truth = pairs_of(labels)
    found = averaged_over_turns(
        lambda laid: pairs_of(laid[0, 0])[None], labels.astype(np.float32), STEPS
    )
    assert np.array_equal(found[0], truth[0])
    for channel, step in enumerate(STEPS, start=1):
        here, _ = pixels_with_partner(step, labels.shape)
        assert np.array_equal(found[channel][here], truth[channel][here])


@pytest.fixture(scope="module")
def crowd() -> np.ndarray:
    import napari_virtualstain as vs

    return vs.simulate(frames=1, size=96, count=8, seed=5).fluorescence[0]


@pytest.mark.parametrize("turns", [1, 2])
def test_averaged_labels_turn_with_the_image(crowd: np.ndarray, turns: int) -> None:
    def labelled(image: np.ndarray) -> np.ndarray:
        return segment(image, pixel_size_um=0.08, average=True)

    expected = np.rot90(labelled(crowd), turns)
    found = labelled(np.ascontiguousarray(np.rot90(crowd, turns)))
    pairs = np.unique(np.stack([expected.ravel(), found.ravel()]), axis=1)
    assert expected.max() > 2
    assert pairs.shape[1] == len(np.unique(expected)) == len(np.unique(found))


def test_the_network_alone_is_not_averaged(crowd: np.ndarray) -> None:
    alone = Segmenter(pixel_size_um=0.08)
    averaged = Segmenter(pixel_size_um=0.08, average=True)
    assert not np.array_equal(alone.maps(crowd).foreground, averaged.maps(crowd).foreground)
