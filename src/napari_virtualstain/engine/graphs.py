"""CUDA graphs: a network replayed on a GPU where that is faster.

A U-Net is some hundred kernels. For small windows a GPU waits longer for the orders to
start them than it computes; a graph is one order. For large windows nothing is gained, so a
graph is kept only if it is measured to be faster here, and only if its values are those of
the usual way.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from .warnings import StainingWarning

Run: TypeAlias = Callable[[Tensor], Tensor]

# capturing costs some ten forward passes
_WORTH_CAPTURING = 4
_MOST_SHAPES = 8
_GAIN = 0.95
_ALIKE = 1e-3
_CAPTURING = threading.Lock()


class ReplayedNetwork:
    """A network that is replayed for batches of a shape that comes again and again.

    Parameters
    ----------
    network : callable
        Batch to maps, on a GPU.
    capture : callable
        ``(network, batch)`` to a callable that gives the same for batches of that shape. The
        maps it returns may be overwritten by the next call.
    seconds : callable
        ``(network, batch)`` to the seconds that a call takes.

    Examples
    --------
    >>> replayed = ReplayedNetwork(torch.neg, lambda network, batch: network)
    >>> replayed(torch.ones(1)).item()
    -1.0
    """

    def __init__(
        self,
        network: Run,
        capture: Callable[[Run, Tensor], Run] | None = None,
        seconds: Callable[[Run, Tensor], float] | None = None,
    ) -> None:
        self._network = network
        self._capture = capture or captured
        self._seconds = seconds or gpu_seconds
        self._seen: Counter[torch.Size] = Counter()
        self._ways: dict[torch.Size, Run] = {}
        self._is_given_up = False

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the maps of a batch; the next call may overwrite them."""
        shape = batch.shape
        if self._is_given_up:
            return self._network(batch)
        self._seen[shape] += 1
        if shape not in self._ways and self._seen[shape] >= _WORTH_CAPTURING:
            if len(self._ways) >= _MOST_SHAPES:
                return self._network(batch)
            self._ways[shape] = self._fastest(batch)
        return self._ways.get(shape, self._network)(batch)

    def give_up(self) -> None:
        """Free what the graphs hold, and go on without them."""
        self._is_given_up = True
        self._ways.clear()

    def _fastest(self, batch: Tensor) -> Run:
        try:
            expected = self._network(batch)
            if not expected.isfinite().all():
                return self._network  # float16 that overflowed has nothing to compare
            replay = self._capture(self._network, batch)
            difference = float((replay(batch) - expected).abs().max())
            if not difference <= _ALIKE * float(expected.max() - expected.min()):
                raise RuntimeError(f"its values are {difference:.3g} off")
            gains = self._seconds(replay, batch) < _GAIN * self._seconds(self._network, batch)
        except RuntimeError as error:
            self.give_up()
            warnings.warn(
                f"CUDA graphs do not work here ({error}); going on without them.",
                StainingWarning,
                stacklevel=2,
            )
            return self._network
        return replay if gains else self._network


def captured(network: Run, batch: Tensor) -> Run:
    """Return the replay of a forward pass on a GPU, for batches of this shape."""
    device, given = batch.device, batch.clone()
    graph = torch.cuda.CUDAGraph()
    # torch allows one capture at a time in a process, also on several GPUs
    with _CAPTURING, torch.cuda.device(device):
        # the default one is made once for all GPUs, on the first
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            network(given)  # libraries choose their algorithms before a capture
        torch.cuda.current_stream().wait_stream(side)
        # what another thread does with another GPU must not end the capture
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            made = network(given)

    def replay(batch: Tensor) -> Tensor:
        given.copy_(batch)
        with torch.cuda.device(device):
            graph.replay()
        return made

    return replay


def gpu_seconds(network: Run, batch: Tensor, repeats: int = 3) -> float:
    """Return the shortest time of some calls on a GPU."""
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize(batch.device)
        start = time.perf_counter()
        network(batch)
        torch.cuda.synchronize(batch.device)
        times.append(time.perf_counter() - start)
    return min(times)
