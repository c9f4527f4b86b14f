"""Virtual fluorescence of an image or a movie in memory, or lazily."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine import Planes, Precision, as_array, is_lazy
from ..io import Stack
from ..normalisation import ComputedOnce, FittedNormalisation
from ..progress import CancelToken, ProgressCallback, Reporter
from ..settings import StainSettings, checked_settings, renamed_keywords
from .flicker import averaged_in_time
from .flicker_filter import flicker_limit, in_time, steadying_of
from .inputs import Frames, OpenedMovie, open_for_staining
from .model_opening import AnyStainer
from .plane_loop import stain_planes

if TYPE_CHECKING:
    import dask.array as da


class _Options(TypedDict, total=False):
    pixel_size_um: float | None
    axes: str | None
    frames: Frames
    device: str | None
    tile: int | None
    precision: Precision
    average: bool | None
    temporal: int
    flat_field: bool
    progress: ProgressCallback | None
    cancel: CancelToken | None


@overload
def stain(
    image: Stack,
    model: Any = ...,
    *,
    uncertainty: Literal[False] = ...,
    **options: Unpack[_Options],
) -> Stack: ...
@overload
def stain(
    image: Stack,
    model: Any = ...,
    *,
    uncertainty: Literal[True],
    **options: Unpack[_Options],
) -> tuple[Stack, Stack]: ...
@overload
def stain(
    image: NDArray[Any],
    model: Any = ...,
    *,
    uncertainty: Literal[False] = ...,
    **options: Unpack[_Options],
) -> NDArray[np.float32]: ...
@overload
def stain(
    image: NDArray[Any],
    model: Any = ...,
    *,
    uncertainty: Literal[True],
    **options: Unpack[_Options],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
@overload
def stain(
    image: da.Array | ArrayLike,
    model: Any = ...,
    *,
    uncertainty: Literal[False] = ...,
    **options: Unpack[_Options],
) -> da.Array: ...
@overload
def stain(
    image: da.Array | ArrayLike,
    model: Any = ...,
    *,
    uncertainty: Literal[True],
    **options: Unpack[_Options],
) -> tuple[da.Array, da.Array]: ...
@renamed_keywords(test_time_augmentation="average")
def stain(
    image: ArrayLike | Stack,
    model: Any = None,
    *,
    pixel_size_um: float | None = None,
    axes: str | None = None,
    frames: Frames = None,
    device: str | None = None,
    tile: int | None = None,
    precision: Precision = "auto",
    average: bool | None = None,
    temporal: int = 0,
    flat_field: bool = False,
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
    frames : str, slice, int or sequence of int, optional
        Which along the time axis, see :func:`parse_frames`; stained as in the whole movie.
    device : str, optional
        See :func:`resolve_device`; frames of a movie can be shared by several devices, such as
        ``"cuda:0,cuda:1"``, see :func:`resolve_devices`.
    tile : int, optional
        Tile size in pixels; does not change the result. None chooses by free memory.
    precision : {"auto", "float32", "bfloat16", "float16", "int8"}
        Arithmetic; ``auto`` is the fastest that agrees with float32 for this model on
        this machine, ``float32`` is the same on all machines.
    average : bool, optional
        Average over eight turns and flips; None does as the model's card says.
    temporal : int
        Average away flicker over so many frames before and after, where they agree; see
        :func:`reduce_flicker`. 0 leaves every frame as it is.
    flat_field : bool
        Divide each frame by its own slow illumination field, see :mod:`.flat_field`.
    uncertainty : bool
        Also return the standard deviation of the expected error.
    progress, cancel : optional
        Called and checked once a frame, or once a tile for a single frame. Not for dask
        arrays, of which nothing is computed here.

    Returns
    -------
    ndarray, dask array or Stack of the shape of `image`, float32
        A dask array, one chunk a plane, if `image` is one; a Stack with its units if `image` is
        one. With `uncertainty` a tuple of two of them.

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
    settings = checked_settings(
        StainSettings,
        precision=precision,
        average=average,
        temporal=temporal,
        flat_field=flat_field,
        uncertainty=uncertainty,
    )
    movie = open_for_staining(
        image,
        model,
        settings,
        axes=axes,
        pixel_size_um=pixel_size_um,
        frames=frames,
        device=device,
        tile=tile,
    )
    if is_lazy(movie.planes.array):
        results = _stain_lazily(movie, settings, cancel)
    else:
        results = _stain_now(movie, settings, progress, cancel)
    if isinstance(image, Stack):
        results = [replace(movie.stack, data=result, channel_names=()) for result in results]
    return tuple(results) if uncertainty else results[0]


def _stain_now(
    movie: OpenedMovie,
    settings: StainSettings,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> list[Any]:
    """Return fluorescence, and uncertainty where it is asked for."""
    planes, stainer = movie.planes, movie.stainer
    fitted = stainer.fit(planes)
    results = [
        np.empty((len(planes), *planes.plane_shape), np.float32)
        for _ in range(1 + bool(settings.uncertainty))
    ]
    single = len(planes) == 1
    frames = Reporter(len(planes), "frame", "staining", None if single else progress, cancel)
    tiles = _TileReporter(progress if single else None, cancel)
    steadying = steadying_of(planes, stainer, fitted, settings.temporal, range(len(planes)))
    order = range(len(planes)) if steadying is None else steadying.needed
    stained = stain_planes(
        planes, stainer, fitted, order, check=frames.check, on_tile=tiles.before_tile
    )
    for index, plane in stained:
        for each, final in [(index, plane)] if steadying is None else steadying.add(index, plane):
            results[0][each] = final.fluorescence
            if len(results) > 1 and final.uncertainty is not None:
                results[1][each] = final.uncertainty
            frames.advance()
    tiles.finish()
    return [result.reshape(planes.array.shape) for result in results]


class _TileReporter:
    """Progress of the tiles of a single frame, with a look at the token before each."""

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


class _PlaneTask:
    """Input of the task for each plane; workers elsewhere get numbers, not the movie."""

    def __init__(self, cancel: CancelToken | None) -> None:
        self._cancel = cancel
        self._token = secrets.token_hex(8)

    def __dask_tokenize__(self) -> str:
        # dask would otherwise pickle this to name the tasks, and so fit the movie at once
        return self._token

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cancel": None}

    def check(self) -> None:
        """Stop if cancelled."""
        if self._cancel is not None:
            self._cancel.raise_if_cancelled()


class _LazyStaining(_PlaneTask):
    """Task that stains the block of one plane."""

    def __init__(
        self,
        stainer: AnyStainer,
        fitted: ComputedOnce[FittedNormalisation],
        outputs: int,
        cancel: CancelToken | None,
    ) -> None:
        super().__init__(cancel)
        self.stainer, self.fitted, self.outputs = stainer, fitted, outputs

    def __call__(self, *blocks: NDArray[Any]) -> NDArray[np.float32]:
        """Return the results of one plane, (1 or 2, ..., Y, X)."""
        self.check()
        planes = np.stack([as_array(block.reshape(block.shape[-2:])) for block in blocks])
        plane = self.stainer.stain(planes, self.fitted.value)
        both = (plane.fluorescence, plane.uncertainty)
        result = np.stack([b for b in both[: self.outputs] if b is not None])
        return result.reshape(len(result), *blocks[0].shape)


class _LazySteadying(_PlaneTask):
    """Task that averages the block of one stained plane with those before and after."""

    def __init__(
        self, axis: int, times: Planes, limit: ComputedOnce[float], cancel: CancelToken | None
    ) -> None:
        super().__init__(cancel)
        self.axis, self.limit = axis, limit
        self.inputs, self.frames = times.inputs, times.leading[axis]

    def __call__(
        self, *blocks: NDArray[np.float32], block_id: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Return the plane in the middle, of its own shape."""
        self.check()
        middle, place = len(blocks) // 2, block_id[self.axis]
        around = dict(zip(self.inputs.indices(place, self.frames), blocks, strict=True))
        shape = blocks[middle].shape
        others = [block.reshape(shape[-2:]) for at, block in around.items() if at != place]
        frame = blocks[middle].reshape(shape[-2:])
        return averaged_in_time(frame, others, self.limit.value).reshape(shape)


def _run_task(*blocks: NDArray[Any], task: Any, **about: Any) -> NDArray[np.float32]:
    result: NDArray[np.float32] = task(*blocks, **about)
    return result


def _run_placed_task(
    *blocks: NDArray[Any], task: Any, block_id: tuple[int, ...] = ()
) -> NDArray[np.float32]:
    return _run_task(*blocks, task=task, block_id=block_id)


def _stain_lazily(
    movie: OpenedMovie, settings: StainSettings, cancel: CancelToken | None
) -> list[Any]:
    """Return fluorescence, and uncertainty where it is asked for, as dask arrays."""
    import dask.array as da

    chosen, stainer = movie.planes, movie.stainer
    planes = chosen if chosen.whole is None else chosen.whole
    ndim, outputs = planes.array.ndim, 1 + bool(settings.uncertainty)
    chunks = {axis: (1 if axis < ndim - 2 else -1) for axis in range(ndim)}
    planewise = planes.array.rechunk(chunks)
    fitted = ComputedOnce(lambda: stainer.fit(planes))
    stained = da.map_blocks(
        _run_task,
        *(_shifted(planewise, planes, channel) for channel in range(planes.inputs.planes)),
        task=_LazyStaining(stainer, fitted, outputs, cancel),
        dtype=np.float32,
        new_axis=0,
        chunks=((outputs,), *planewise.chunks),
        meta=np.empty((0,) * (ndim + 1), np.float32),
    )
    results = [stained[output] for output in range(outputs)]
    if chosen.frames:
        along = chosen.axes.index("t")
        results = [da.take(result, list(chosen.frames), axis=along) for result in results]
    if settings.temporal:
        limit = ComputedOnce(
            lambda: flicker_limit(chosen, stainer, fitted.value, settings.temporal)
        )
        results[0] = _steadied_lazily(results[0], in_time(chosen, settings.temporal), limit, cancel)
    return results


def _steadied_lazily(
    stained: Any, times: Planes, limit: ComputedOnce[float], cancel: CancelToken | None
) -> Any:
    import dask.array as da

    axis = times.axes.index("t")
    return da.map_blocks(
        _run_placed_task,
        *(_shifted(stained, times, channel) for channel in range(times.inputs.planes)),
        task=_LazySteadying(axis, times, limit, cancel),
        dtype=np.float32,
        meta=np.empty((0,) * stained.ndim, np.float32),
    )


def _shifted(planewise: Any, planes: Planes, channel: int) -> Any:
    """Return the array whose plane i is the neighbour number `channel` of plane i."""
    axis = planes.axes.find(planes.inputs.axis)
    if planes.inputs.planes == 1 or axis < 0:
        return planewise
    length = planes.leading[axis]
    wanted = [planes.inputs.indices(i, length)[channel] for i in range(length)]
    import dask.array as da

    return da.take(planewise, wanted, axis=axis).rechunk({axis: 1})
