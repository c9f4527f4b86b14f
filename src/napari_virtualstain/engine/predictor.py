"""Tiled prediction: a network on frames of any size, within the free memory."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..errors import DeviceError, InputError
from ..models import Ranges
from ..progress import CancelToken
from .devices import (
    Device,
    OpenVino,
    Precision,
    check_precision,
    device_words,
    free_memory,
    is_processor,
    resolve_device,
)
from .prepared import PreparedNetwork
from .tiling import Tile, choose_core, plan_tiles
from .warnings import ReducedResourcesWarning

_SOFT_LIMIT = int(2.5 * 2**30)
_SHARE_OF_FREE = 0.5
_LARGEST_BATCH = 16
_BATCH_PIXELS = 2**22
_ON_PROCESSOR = "going on with the processor, which is slower"

OnTile = Callable[[int, int], None]


class TiledNetwork:
    """A network that takes frames of any size: the tiles join without a seam.

    Parameters
    ----------
    network : torch.nn.Module
        (N, C, Y, X) to (N, O, Y, X), in evaluation mode.
    device : str, torch.device or None
        See :func:`resolve_device`.
    tile : int or None
        Height and width of what is kept of a tile; the network reads its halo around
        it besides. None chooses from the free memory.
    precision : {"auto", "float32", "bfloat16", "float16", "int8"}
        See :mod:`~napari_virtualstain.engine.prepared`.
    ranges : dict, optional
        What int8 needs: the `activation_ranges` of the model's card.

    Notes
    -----
    A frame is first padded by reflection to a multiple of the network's stride; the
    result is that of the network on this padded frame, whatever the tiles.

    For a CPU in half precision, tiles are strips as wide as the frame: oneDNN chooses the
    order of its sums by the width of a window, never by its height, and half precision
    magnifies a change of that order from 1e-7 to 3e-3 of the range.

    Examples
    --------
    >>> from napari_virtualstain.models import build_network
    >>> network = build_network({"name": "unet", "arguments": {"widths": [4, 4]}})
    >>> TiledNetwork(network, device="cpu").predict(np.zeros((1, 1, 33, 47), np.float32)).shape
    (1, 1, 33, 47)
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str | Device | None = None,
        tile: int | None = None,
        precision: Precision = "float32",
        ranges: Ranges | None = None,
    ) -> None:
        if tile is not None and (not isinstance(tile, (int, np.integer)) or tile < 1):
            raise InputError(
                f"The tile size is {tile!r}: expected a positive whole number of pixels."
            )
        check_precision(precision)
        place = resolve_device(device)
        self._prepared = _prepared_on(place, network.eval(), precision, ranges)
        self._tile = tile
        self._largest_core: int | None = None
        self._takes_strips = is_processor(self.device) and self.precision != "float32"

    @property
    def device(self) -> Device:
        """Where the network runs now; the CPU after the memory of a GPU ran out."""
        return self._prepared.device

    @property
    def precision(self) -> Precision:
        """The arithmetic that is used."""
        return self._prepared.precision

    @property
    def arithmetic(self) -> str:
        """What must be the same for results to be equal: the precision, and who computes."""
        by = " by OpenVINO" if isinstance(self.device, OpenVino) else ""
        return f"{self.precision}{by}"

    @property
    def halo(self) -> int | None:
        """Pixels read around each tile; None if the network sees the whole frame."""
        return self._prepared.halo

    @property
    def stride(self) -> int:
        """Windows begin on multiples of this."""
        return self._prepared.stride

    @property
    def reads_whole_rows(self) -> bool:
        """Whether a part of a frame is stained as in the frame only if it is as wide; see Notes."""
        return self._takes_strips

    def predict(
        self, frames: NDArray[np.float32], *, on_tile: OnTile | None = None
    ) -> NDArray[np.float32]:
        """Return the output maps of frames of one size.

        Parameters
        ----------
        frames : ndarray of shape (N, C, Y, X), float32
            Normalised and finite.
        on_tile : callable, optional
            Called before each tile with its number and how many there are; it may raise
            to stop.

        Returns
        -------
        ndarray of shape (N, O, Y, X), float32

        Raises
        ------
        DeviceError
            Memory does not suffice for the smallest tile, on the CPU either.
        """
        height, width = frames.shape[-2:]
        padded = self._padded(frames)
        while True:
            tiles: list[Tile] = []
            try:
                tiles = self._plan((padded.shape[-2], padded.shape[-1]), len(padded))
                return self._run_tiles(padded, tiles, on_tile)[..., :height, :width]
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise _failure(self.device, error) from error
                self._give_way(tiles, error)

    def frames_at_once(self, shape: tuple[int, int]) -> int:
        """Return how many frames of this size are worth passing to :meth:`predict`."""
        if is_processor(self.device):
            # one frame fills a CPU, and alone its rounding is the same wherever it is stained
            return 1
        return max(1, min(_LARGEST_BATCH, _BATCH_PIXELS // max(1, math.prod(shape))))

    def _padded(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        stride, smallest = self._prepared.stride, self._prepared.smallest
        missing = [
            max(-(-length // stride) * stride, smallest) - length for length in frames.shape[-2:]
        ]
        if not any(missing):
            return frames
        return np.pad(frames, [(0, 0), (0, 0), *((0, m) for m in missing)], mode="reflect")

    def _plan(self, shape: tuple[int, int], frames: int) -> list[Tile]:
        halo, stride = self._prepared.halo, self._prepared.stride
        if halo is None:
            return plan_tiles(shape, max(shape), halo=0, stride=stride)
        core = self._tile or self._best_core(shape, halo, frames)
        if self._largest_core is not None:
            core = min(core, self._largest_core)
        cores = (core, shape[1]) if self._takes_strips else (core, core)
        return plan_tiles(shape, cores, halo=halo, stride=stride)

    def _best_core(self, shape: tuple[int, int], halo: int, frames: int) -> int:
        on_cpu = is_processor(self.device)
        budget = _SHARE_OF_FREE * free_memory(self.device)
        if on_cpu:
            budget = min(budget, _SOFT_LIMIT)
        pixels = budget / self._prepared.bytes_per_pixel / frames
        return choose_core(
            shape[:1] if self._takes_strips else shape,
            halo=halo,
            stride=self._prepared.stride,
            largest_window=pixels / shape[1] if self._takes_strips else pixels,
            lean=on_cpu,
        )

    def _run_tiles(
        self, padded: NDArray[np.float32], tiles: list[Tile], on_tile: OnTile | None
    ) -> NDArray[np.float32]:
        shape = (len(padded), *padded.shape[-2:], self._prepared.outputs)
        # channels last in memory, as networks return them: another order takes longer to write
        result = np.moveaxis(np.empty(shape, np.float32), -1, 1)
        for number, tile in enumerate(tiles):
            if on_tile is not None:
                on_tile(number, len(tiles))
            window = np.ascontiguousarray(padded[(..., *tile.window.slices)])
            output = self._prepared(torch.from_numpy(window))
            kept = tile.core.within(tile.window).slices
            result[(..., *tile.core.slices)] = output[(..., *kept)].numpy()
        return result

    def _extent(self, tile: Tile) -> int:
        return tile.core.shape[0] if self._takes_strips else max(tile.core.shape)

    def _give_way(self, tiles: list[Tile], error: BaseException) -> None:
        """After memory ran out: halve the tile, then take the CPU, then give up."""
        core = max((self._extent(tile) for tile in tiles), default=0)
        device = self.device
        self._prepared.release()
        if self._prepared.halo is not None and core >= 4 * self._prepared.stride:
            self._largest_core = core // 2
            remedy = f"going on with tiles of {self._largest_core} pixels"
        elif self._takes_strips:
            self._takes_strips, self._largest_core = False, None
            remedy = "going on with square tiles"
        elif isinstance(device, torch.device) and device.type != "cpu":
            self._prepared = self._prepared.moved(torch.device("cpu"))
            self._largest_core = None
            self._takes_strips = self.precision != "float32"
            remedy = _ON_PROCESSOR
        else:
            raise DeviceError(
                f"The memory does not suffice to stain even a tile of {core} pixels. Close other "
                "programs, crop the image, or choose a smaller model."
            ) from error
        if device.type == "cuda":
            torch.cuda.empty_cache()
        _warn_memory_ran_out(device, remedy)


def stop_inside(network: nn.Module, token: Callable[[], CancelToken]) -> None:
    """Let every layer of `network` raise ``CancelledError`` once the token is cancelled.

    One tile of a large model takes seconds on a slow machine, and a user who cancels should
    not wait for it: each layer looks at the token before it begins.

    Parameters
    ----------
    network : torch.nn.Module
        Copies of it that are made later look at the same token.
    token : callable
        Returns the current token.

    Examples
    --------
    >>> network, token = nn.Sequential(nn.Identity()), CancelToken()
    >>> stop_inside(network, lambda: token)
    >>> token.cancel()
    >>> network(torch.zeros(1))
    Traceback (most recent call last):
        ...
    napari_virtualstain.errors.CancelledError: Cancelled. What was finished by then has been kept.
    """

    def look(*_: object) -> None:
        token().raise_if_cancelled()

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_pre_hook(look)


def _prepared_on(
    device: Device, network: nn.Module, precision: Precision, ranges: Ranges | None
) -> PreparedNetwork:
    """Return the network ready on a device, or on the CPU if that has no memory left for it."""
    try:
        return PreparedNetwork(network, device, precision, ranges)
    except RuntimeError as error:
        if device.type == "cpu" or not _is_out_of_memory(error):
            raise _failure(device, error) from error
    _warn_memory_ran_out(device, _ON_PROCESSOR)
    return PreparedNetwork(network, torch.device("cpu"), precision)


def _warn_memory_ran_out(device: Device, remedy: str) -> None:
    warnings.warn(
        f"The memory of the {device_words(str(device))} ran out; {remedy}.",
        ReducedResourcesWarning,
        stacklevel=3,
    )


def _failure(device: Device, error: BaseException) -> DeviceError:
    # napari's thread worker loses every RuntimeError silently
    return DeviceError(
        f"The network failed on the {device_words(str(device))}: {error}. Choose the processor "
        "(cpu) as the device, or another model."
    )


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "allocate" in text
