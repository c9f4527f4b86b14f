"""Stand-ins for a GPU's capture: when a graph is taken, and that a bad one never is."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_virtualstain.engine import StainingWarning, TiledNetwork
from napari_virtualstain.engine.graphs import _WORTH_CAPTURING, ReplayedNetwork, Run


class _Capture:
    """Captures as a GPU does: the replay reads and writes always the same memory."""

    def __init__(self, network: Run | None = None, error: str | None = None) -> None:
        self.network, self.error = network, error
        self.captured: list[torch.Size] = []
        self.replayed = 0

    def __call__(self, network: Run, batch: Tensor) -> Run:
        if self.error:
            raise RuntimeError(self.error)
        self.captured.append(batch.shape)
        given, made = batch.clone(), network(batch).clone()

        def replay(batch: Tensor) -> Tensor:
            assert batch.shape == given.shape
            given.copy_(batch)
            made.copy_((self.network or network)(given))
            self.replayed += 1
            return made

        return replay


def _seconds(replay: float, usual: float = 1.0) -> Callable[[Run, Tensor], float]:
    return lambda run, batch: usual if isinstance(run, torch.nn.Module) else replay


def _batches(count: int, *shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


NETWORK = torch.nn.Conv2d(1, 2, 3, padding=1).eval().requires_grad_(False)


def test_a_shape_that_comes_again_is_replayed_with_the_same_values() -> None:
    capture = _Capture()
    network = ReplayedNetwork(NETWORK, capture, _seconds(0.5))
    for small, large in zip(_batches(9, 1, 1, 8, 8), _batches(9, 2, 1, 16, 8), strict=True):
        for batch in (small, large):
            assert torch.equal(network(batch), NETWORK(batch))
    assert capture.captured == [(1, 1, 8, 8), (2, 1, 16, 8)]
    assert capture.replayed >= 2 * (9 - _WORTH_CAPTURING)


def test_a_shape_seen_a_few_times_is_not_captured() -> None:
    capture = _Capture()
    network = ReplayedNetwork(NETWORK, capture, _seconds(0.5))
    for batch in _batches(_WORTH_CAPTURING - 1, 1, 1, 8, 8):
        network(batch)
    assert not capture.captured


def test_a_graph_that_is_not_faster_is_not_kept() -> None:
    capture = _Capture()
    network = ReplayedNetwork(NETWORK, capture, _seconds(0.99))
    for batch in _batches(12, 1, 1, 8, 8):
        assert torch.equal(network(batch), NETWORK(batch))
    assert len(capture.captured) == 1
    assert capture.replayed == 1  # when its values were looked at


@pytest.mark.parametrize(
    ("capture", "told"),
    [
        (_Capture(error="operation not permitted when stream is capturing"), "not permitted"),
        (_Capture(network=lambda batch: NETWORK(batch) * 1.01), "values are"),
        (_Capture(network=lambda batch: NETWORK(batch) * torch.nan), "values are nan"),
    ],
)
def test_a_graph_that_fails_or_errs_is_told_once_and_never_used(capture, told: str) -> None:
    network = ReplayedNetwork(NETWORK, capture, _seconds(0.5))
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        for batch in [*_batches(9, 1, 1, 8, 8), *_batches(9, 1, 1, 4, 8)]:
            assert torch.equal(network(batch), NETWORK(batch))
    assert [warning.category for warning in given] == [StainingWarning]
    assert told in str(given[0].message)
    assert "going on without" in str(given[0].message)


def test_values_that_overflow_say_nothing_about_a_graph() -> None:
    capture = _Capture()
    network = ReplayedNetwork(NETWORK, capture, _seconds(0.5))
    for batch in _batches(6, 1, 1, 8, 8):
        assert not network(batch * torch.inf).isfinite().any()
    assert not capture.captured
    for batch in _batches(6, 1, 1, 4, 8):
        network(batch)
    assert capture.captured == [(1, 1, 4, 8)]


def test_graphs_of_many_shapes_are_not_all_held() -> None:
    capture = _Capture()
    network = ReplayedNetwork(NETWORK, capture, _seconds(0.5))
    for side in range(4, 40):
        for batch in _batches(5, 1, 1, side, 4):
            assert torch.equal(network(batch), NETWORK(batch))
    assert len(capture.captured) == 8


def test_the_engine_stains_the_same_through_graphs_and_drops_them_when_memory_ends() -> None:
    capture = _Capture()
    frames = [b.numpy() for b in _batches(8, 2, 1, 40, 56)]
    usual = TiledNetwork(NETWORK, device="cpu", tile=16)
    engine = TiledNetwork(NETWORK, device="cpu", tile=16)
    prepared = engine._prepared
    prepared._fastest = ReplayedNetwork(prepared._fastest, capture, _seconds(0.5))
    for frame in frames:
        np.testing.assert_array_equal(engine.predict(frame), usual.predict(frame))
    assert capture.replayed > 50
    prepared.release()
    before = capture.replayed
    np.testing.assert_array_equal(engine.predict(frames[0]), usual.predict(frames[0]))
    assert capture.replayed == before
