"""Fluorescence, real or virtual, to one label for each mitochondrion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine import Planes, Precision, as_array, as_stack, image_axes, is_lazy
from ..io import Stack, open_writer_like
from ..normalisation import ComputedOnce, FittedNormalisation
from ..progress import CancelToken, ProgressCallback, Reporter
from ..settings import SegmentSettings, Split, checked_settings, renamed_keywords
from .instances import Labels
from .model_opening import AnySegmenter, open_segmenter
from .plane_loop import SegmentedPlanes
from .segmenter import Segmenter

if TYPE_CHECKING:
    import dask.array as da

    from ..models import Model


class _Options(TypedDict, total=False):
    pixel_size_um: float | None
    axes: str | None
    threshold: float
    min_area_um2: float
    split: Split
    width_um: float | None
    average: bool
    precision: Precision
    device: str | None
    tile: int | None
    progress: ProgressCallback | None
    cancel: CancelToken | None


@overload
def segment(fluorescence: Stack, model: Any = ..., **options: Unpack[_Options]) -> Stack: ...
@overload
def segment(
    fluorescence: NDArray[Any], model: Any = ..., **options: Unpack[_Options]
) -> NDArray[np.int32]: ...
@overload
def segment(
    fluorescence: da.Array | ArrayLike, model: Any = ..., **options: Unpack[_Options]
) -> da.Array: ...


@renamed_keywords(test_time_augmentation="average")
def segment(
    fluorescence: ArrayLike | Stack,
    model: Model | str | Path | None = None,
    *,
    pixel_size_um: float | None = None,
    axes: str | None = None,
    threshold: float = 0.5,
    min_area_um2: float = 0.05,
    split: Split = "skeleton",
    width_um: float | None = None,
    average: bool = False,
    precision: Precision = "auto",
    device: str | None = None,
    tile: int | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Any:
    """Return one label for each mitochondrion of a fluorescence image or movie.

    Parameters
    ----------
    fluorescence : array_like or Stack, shape (..., Y, X)
        Real or virtual, any real type and unit. The planes of a movie are normalised
        together, so that labels do not flicker. A dask array is segmented lazily.
    model : Model, str, path or None
        A segmenter, or the name of an add-on; None is the default, ``mito-segment``.
    pixel_size_um : float, optional
        Micrometres; that of a stack if not given. The network copes with what usual
        microscopes have without knowing it; areas then assume 0.08 µm.
    axes : str, optional
        One letter of ``tczyx`` for each dimension; as the stack says, if not given.
    threshold : float
        Probability above which a pixel is foreground.
    min_area_um2 : float
        No object is smaller, square micrometres.
    split : {"skeleton", "log", "none"}
        How objects that touch come apart; see :func:`split_instances`.
    width_um : float, optional
        Typical width of swollen mitochondria, micrometres; see :class:`Segmenter`.
    average : bool
        Average over turns and flips, eight times the work; see :class:`Segmenter`.
    precision : {"auto", "float32", "bfloat16", "float16", "int8"}
        Arithmetic; ``auto`` is the fastest that agrees with float32 for this model on this
        machine, ``float32`` is the same on all machines.
    device : str, optional
        ``cpu``, ``cuda``, ``mps``; None takes the fastest there is.
    tile : int, optional
        Tile size in pixels; does not change the result.
    progress, cancel : callable, CancelToken, optional
        Reported to and looked at once a plane. Not for dask arrays, of which nothing
        is computed here.

    Returns
    -------
    ndarray, dask array or Stack of int32, shape (..., Y, X)
        0 is background; the labels of each plane are 1..n. A Stack keeps its units.

    Raises
    ------
    InputError
        Not an image, RGB, empty, or a setting outside its range.
    ModelError, DeviceError
        No such model or device.
    CancelledError
        `cancel` was raised.

    Examples
    --------
    >>> import napari_virtualstain as vs
    >>> scene = vs.simulate(frames=1, size=64, count=3, seed=0)
    >>> segment(scene.fluorescence, pixel_size_um=0.08, device="cpu").shape
    (1, 64, 64)
    """
    settings = checked_settings(
        SegmentSettings,
        threshold=threshold,
        min_area_um2=min_area_um2,
        split=split,
        width_um=width_um,
        average=average,
        precision=precision,
    )
    stack = as_stack(fluorescence, axes, pixel_size_um)
    segmenter = open_segmenter(
        model, settings, pixel_size_um=stack.pixel_size_um, device=device, tile=tile
    )
    planes = Planes(stack.data, stack.axes)
    labels: Any
    if is_lazy(stack.data):
        labels = _segment_lazily(planes, segmenter, settings, cancel)
    else:
        reporter = Reporter(len(planes), "frame", "segmenting", progress, cancel)
        reporter.check()
        labels = np.zeros((len(planes), *planes.plane_shape), np.int32)
        made = SegmentedPlanes(planes, segmenter, check=reporter.check)
        for index, found in made.labels_of(range(len(planes)), settings):
            labels[index] = found
            reporter.advance()
        labels = labels.reshape(stack.data.shape)
    if isinstance(fluorescence, Stack):
        return replace(stack, data=labels, channel_names=())
    return labels


def fit_movie(array: Any, segmenter: Segmenter) -> FittedNormalisation:
    """Return the normalisation of all planes of an array of shape (..., Y, X).

    Examples
    --------
    >>> movie = np.random.default_rng(0).poisson(50, (3, 64, 64))
    >>> fit_movie(movie, Segmenter("mito-segment", pixel_size_um=0.08)).scale > 0
    True
    """
    return segmenter.fit(Planes(array, image_axes(array, array.ndim, None)).sample())


def _segment_lazily(
    planes: Planes, segmenter: AnySegmenter, settings: SegmentSettings, cancel: CancelToken | None
) -> Any:
    import dask.array as da
    import dask.base

    array = planes.array
    leading = range(array.ndim - 2)
    planewise = array.rechunk({**dict.fromkeys(leading, 1), array.ndim - 2: -1, array.ndim - 1: -1})
    fitted = ComputedOnce(lambda: segmenter.fit(planes.sample()))

    def segmented(block: NDArray[Any]) -> Labels:
        if cancel is not None:
            cancel.raise_if_cancelled()
        plane = as_array(block.reshape(block.shape[-2:]))
        return segmenter.labels(plane, fitted.value, settings).reshape(block.shape)

    # without a name dask would hash the function, and for that fit the normalisation now
    facts = (array.name, segmenter.note, settings.model_dump_json())
    return da.map_blocks(
        segmented,
        planewise,
        name=f"segment-{dask.base.tokenize(*facts)}",
        dtype=np.int32,
        meta=np.empty((0,) * array.ndim, np.int32),
    )


@renamed_keywords(test_time_augmentation="average")
def segment_to_file(
    fluorescence: ArrayLike | Stack,
    out: str | Path,
    model: Model | str | Path | None = None,
    *,
    axes: str | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    threshold: float = 0.5,
    min_area_um2: float = 0.05,
    split: Split = "skeleton",
    width_um: float | None = None,
    average: bool = False,
    precision: Precision = "auto",
    device: str | None = None,
    tile: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Path:
    """Write the labels of a movie plane by plane, and return the path.

    Memory does not grow with the length of the movie. The file appears when it is
    complete; what an interrupted run finished is kept for `resume`.

    Parameters
    ----------
    fluorescence, model, pixel_size_um, threshold, min_area_um2, split, width_um,
    average, precision, device, tile
        See :func:`segment`.
    out : str or Path
        ``.ome.tif``, ``.tif`` or ``.ome.zarr``.
    axes, frame_interval_s : optional
        As the stack says, if not given; else tyx, tzyx or tczyx by the number of axes.
    resume : bool
        Go on where an interrupted run with the same settings stopped.
    overwrite : bool
        Whether an existing file may be replaced.
    progress, cancel : callable, CancelToken, optional
        Reported to and looked at once a plane.

    Raises
    ------
    InputError, AxesError, ModelError, DeviceError, CancelledError
        As :func:`segment`, or the axes do not fit.
    OutputError, OutputExistsError
        The file cannot be written, or is there already.

    Examples
    --------
    >>> import napari_virtualstain as vs, tempfile, pathlib
    >>> scene = vs.simulate(frames=2, size=64, count=3, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = pathlib.Path(folder, "labels.ome.tif")
    ...     segment_to_file(scene.fluorescence, out, pixel_size_um=0.08, device="cpu").name
    'labels.ome.tif'
    """
    from pathlib import Path

    settings = checked_settings(
        SegmentSettings,
        threshold=threshold,
        min_area_um2=min_area_um2,
        split=split,
        width_um=width_um,
        average=average,
        precision=precision,
    )
    stack = as_stack(fluorescence, axes, pixel_size_um, frame_interval_s)
    segmenter = open_segmenter(
        model, settings, pixel_size_um=stack.pixel_size_um, device=device, tile=tile
    )
    planes = Planes(stack.data, stack.axes)
    with open_writer_like(
        out,
        stack,
        np.int32,
        overwrite=overwrite,
        resume=resume,
        settings=f"{segmenter.note} {settings!r}",
    ) as writer:
        left = [number for number in range(len(planes)) if not writer.is_done(number)]
        reporter = Reporter(len(planes), "frame", "segmenting", progress, cancel)
        reporter.done = len(planes) - len(left)
        reporter.check()
        made = SegmentedPlanes(planes, segmenter, check=reporter.check)
        for number, labels in made.labels_of(left, settings):
            writer.write(number, labels)
            reporter.advance()
    return Path(out)
