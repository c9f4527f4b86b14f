"""Virtual fluorescence of an image or a movie in memory, or lazily."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine import (
    PlaneSource,
    Precision,
    ahead,
    as_array,
    as_image,
    image_axes,
    is_lazy,
    planes_of,
)
from ..io import Stack
from ..normalisation import LazyNormalisation
from ..progress import CancelToken, ProgressCallback, Reporter
from .opening import AnyStainer, open_stainer
from .stainer import StainedPlane, StainingSettings


def stain(
    image: ArrayLike | Stack,
    model: Any = None,
    *,
    pixel_size_um: float | None = None,
    axes: str | None = None,
    device: str | None = None,
    tile: int | None = None,
    precision: Precision = "auto",
    test_time_augmentation: bool | None = None,
    uncertainty: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Any:
    """Return the virtual fluorescence of a bright-field image.

    Parameters
    ----------
    image : array of shape (..., Y, X), or Stack
        Bright-field, of any real type. Frames of a movie are normalised together.
    model : str, path, Model or None
        Generator, or the name of an add-on; None is the default one.
    pixel_size_um : float, optional
        Micrometres. The image is brought to the model's pixel size and back. Not
        given, a stack's own is taken, or else the model's is assumed with a warning.
    axes : str, optional
        One letter of ``tczyx`` for each dimension; matters only to models that read
        neighbouring planes. Not given: the axis they read along for three dimensions, tzyx for
        four.
    device : str, optional
        See :func:`resolve_device`; frames of a movie can be shared by several devices, such as
        ``"cuda:0,cuda:1"``, see :func:`resolve_devices`.
    tile : int, optional
        Tile size in pixels; does not change the result. None chooses by free memory.
    precision : {"auto", "float32", "bfloat16", "float16"}
        Arithmetic; ``auto`` is the fastest that agrees with float32 for this model on
        this machine, ``float32`` is the same on all machines.
    test_time_augmentation : bool, optional
        Average over eight turns and flips; None does as the model's card says.
    uncertainty : bool
        Also return the standard deviation of the expected error.
    progress, cancel : optional
        Told and asked once a frame, or once a tile for a single frame. Not for dask
        arrays, of which nothing is computed here.

    Returns
    -------
    ndarray or dask array of the shape of `image`, float32
        A dask array, one chunk a plane, if `image` is one; with `uncertainty` a tuple
        of two arrays.

    Raises
    ------
    InputError
        Not an image, or a pixel size that cannot be.
    ModelError, DeviceError
        No such model or device, or its memory does not suffice.

    Examples
    --------
    >>> from napari_virtualstain.models import Model, ModelCard, build_network
    >>> card = ModelCard(name="tiny", architecture={"arguments": {"widths": [4, 4]}})
    >>> model = Model(build_network(card.architecture), card, "", None)
    >>> stain(np.eye(20, 30), model, device="cpu").shape
    (20, 30)
    """
    array = as_image(image)
    if pixel_size_um is None and isinstance(image, Stack):
        pixel_size_um = image.pixel_size_um
    settings = StainingSettings(device, tile, precision, test_time_augmentation)
    stainer = open_stainer(model, settings, pixel_size_um, uncertainty=uncertainty)
    named = image_axes(image, array.ndim, axes)
    assumed = axes is None and (not isinstance(image, Stack) or image.assumed_axes)
    source = planes_of(array, named, stainer.inputs, assumed=assumed)
    if is_lazy(array):
        return _stain_lazily(source, stainer, uncertainty, cancel)
    return _stain_now(source, stainer, uncertainty, progress, cancel)


def _stain_now(
    source: PlaneSource,
    stainer: AnyStainer,
    uncertainty: bool,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> Any:
    fitted = stainer.fit(source)
    results = [np.empty((len(source), *source.plane_shape), np.float32) for _ in range(2)]
    single = len(source) == 1
    frames = Reporter(len(source), "frame", "staining", None if single else progress, cancel)
    at_once = stainer.frames_at_once(source.plane_shape)
    tiles = _TileReporter(progress if single else None, cancel)

    def stained(indices: range) -> tuple[range, list[StainedPlane]]:
        frames.check()
        planes = [source.read(i) for i in indices]
        return indices, stainer.stain_batch(planes, fitted, on_tile=tiles.before_tile)

    groups = [range(len(source))[i : i + at_once] for i in range(0, len(source), at_once)]
    for indices, planes in ahead(stained, groups, stainer.threads):
        for index, plane in zip(indices, planes, strict=True):
            results[0][index] = plane.fluorescence
            if plane.uncertainty is not None:
                results[1][index] = plane.uncertainty
            frames.advance()
    tiles.finish()
    shaped = [result.reshape(source.array.shape) for result in results]
    return tuple(shaped) if uncertainty else shaped[0]


class _TileReporter:
    """Reports the tiles of a single frame, and looks at the token before each."""

    def __init__(self, progress: ProgressCallback | None, cancel: CancelToken | None) -> None:
        self._reporter = Reporter(None, "tile", "staining", progress, cancel)

    def before_tile(self, number: int, total: int) -> None:
        self._reporter.check()
        if number:
            self._reporter.total = max(total, self._reporter.done + 1)
            self._reporter.advance()

    def finish(self) -> None:
        if self._reporter.progress is not None:
            self._reporter.total = self._reporter.done + 1
            self._reporter.advance()


class _LazyStaining:
    """What the task of each plane needs; workers get numbers, not the movie."""

    def __init__(
        self,
        stainer: AnyStainer,
        movie: LazyNormalisation,
        uncertainty: bool,
        cancel: CancelToken | None,
    ) -> None:
        self.stainer, self.movie = stainer, movie
        self.uncertainty, self.cancel = uncertainty, cancel
        self._token = secrets.token_hex(8)

    def __dask_tokenize__(self) -> str:
        # dask would otherwise pickle this to name the tasks, and so fit the movie at once
        return self._token

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "cancel": None}

    def stain(self, blocks: tuple[NDArray[Any], ...]) -> NDArray[np.float32]:
        """Return the results of one plane, (1 or 2, ..., Y, X)."""
        if self.cancel is not None:
            self.cancel.raise_if_cancelled()
        planes = np.stack([as_array(block.reshape(block.shape[-2:])) for block in blocks])
        plane = self.stainer.stain(planes, self.movie.fitted)
        both = (plane.fluorescence, plane.uncertainty)
        result = np.stack([b for b in both[: 1 + self.uncertainty] if b is not None])
        return result.reshape(len(result), *blocks[0].shape)


def _stain_blocks(*blocks: NDArray[Any], job: _LazyStaining) -> NDArray[np.float32]:
    return job.stain(blocks)


def _stain_lazily(
    source: PlaneSource, stainer: AnyStainer, uncertainty: bool, cancel: CancelToken | None
) -> Any:
    import dask.array as da

    ndim = source.array.ndim
    chunks = {axis: (1 if axis < ndim - 2 else -1) for axis in range(ndim)}
    planewise = source.array.rechunk(chunks)
    result = da.map_blocks(
        _stain_blocks,
        *(_shifted(planewise, source, channel) for channel in range(source.inputs.planes)),
        job=_LazyStaining(
            stainer, LazyNormalisation(lambda: stainer.fit(source)), uncertainty, cancel
        ),
        dtype=np.float32,
        new_axis=0,
        chunks=((1 + uncertainty,), *planewise.chunks),
        meta=np.empty((0,) * (ndim + 1), np.float32),
    )
    return (result[0], result[1]) if uncertainty else result[0]


def _shifted(planewise: Any, source: PlaneSource, channel: int) -> Any:
    """Return the array whose plane i is the neighbour number `channel` of plane i."""
    axis = source.axes.find(source.inputs.axis)
    if source.inputs.planes == 1 or axis < 0:
        return planewise
    length = source.leading[axis]
    wanted = [source.inputs.indices(i, length)[channel] for i in range(length)]
    import dask.array as da

    return da.take(planewise, wanted, axis=axis).rechunk({axis: 1})
