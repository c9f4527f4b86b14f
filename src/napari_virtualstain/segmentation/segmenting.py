"""Fluorescence, real or virtual, to one label for each mitochondrion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..axes import check_positive
from ..engine import as_array, as_image, image_axes, is_lazy
from ..io import Stack
from ..normalisation import (
    SAMPLED_FRAMES,
    FittedNormalisation,
    LazyNormalisation,
    spread_evenly,
)
from ..progress import CancelToken, ProgressCallback, Reporter
from .instances import Labels, Split, area_in_pixels, check_split, check_threshold
from .segmenter import Segmenter

if TYPE_CHECKING:
    from pathlib import Path

    from ..models import Model


@dataclass(frozen=True, slots=True)
class _Settings:
    threshold: float
    min_area_um2: float
    split: Split

    def check(self, pixel_size_um: float | None) -> None:
        check_split(self.split)
        check_threshold(self.threshold)
        area_in_pixels(self.min_area_um2, pixel_size_um)

    def as_options(self) -> dict[str, Any]:
        return {
            "threshold": self.threshold,
            "min_area_um2": self.min_area_um2,
            "split": self.split,
        }


def segment(
    fluorescence: ArrayLike | Stack,
    model: Model | str | Path | None = None,
    *,
    pixel_size_um: float | None = None,
    threshold: float = 0.5,
    min_area_um2: float = 0.05,
    split: Split = "skeleton",
    width_um: float | None = None,
    test_time_augmentation: bool = False,
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
        A segmenter; None is the default, ``mito-segment``.
    pixel_size_um : float, optional
        Micrometres; that of a stack if not given. The network copes with what usual
        microscopes have without knowing it; areas then assume 0.08 µm.
    threshold : float
        Probability above which a pixel is foreground.
    min_area_um2 : float
        No object is smaller, square micrometres.
    split : {"skeleton", "log", "none"}
        How objects that touch come apart; see :func:`split_instances`.
    width_um : float, optional
        Typical width of swollen mitochondria, micrometres; see :class:`Segmenter`.
    test_time_augmentation : bool
        Average over turns and flips, eight times the work; see :class:`Segmenter`.
    device : str, optional
        ``cpu``, ``cuda``, ``mps``; None takes the fastest there is.
    tile : int, optional
        Tile size in pixels; does not change the result.
    progress, cancel : callable, CancelToken, optional
        Reported to and looked at once a plane. Not for dask arrays, of which nothing
        is computed here.

    Returns
    -------
    ndarray or dask array of int32, shape (..., Y, X)
        0 is background; the labels of each plane are 1..n.

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
    settings = _Settings(threshold, min_area_um2, split)
    array, segmenter = _prepared(
        fluorescence,
        model,
        settings,
        pixel_size_um=pixel_size_um,
        width_um=width_um,
        test_time_augmentation=test_time_augmentation,
        device=device,
        tile=tile,
    )
    if is_lazy(array):
        return _segment_lazily(array, segmenter, settings, cancel)
    labels = np.zeros(array.shape, np.int32)
    indices = list(np.ndindex(array.shape[:-2]))
    reporter = Reporter(len(indices), "frame", "segmenting", progress, cancel)
    reporter.check()
    fitted = fit_movie(array, segmenter)
    for index in indices:
        maps = segmenter.maps(array[index], fitted, on_tile=lambda *_: reporter.check())
        labels[index] = maps.labels(**settings.as_options())
        reporter.advance()
    return labels


def fit_movie(array: Any, segmenter: Segmenter) -> FittedNormalisation:
    """Return the normalisation of all planes of an array of shape (..., Y, X).

    Examples
    --------
    >>> movie = np.random.default_rng(0).poisson(50, (3, 64, 64))
    >>> fit_movie(movie, Segmenter("mito-segment", pixel_size_um=0.08)).scale > 0
    True
    """
    indices = list(np.ndindex(array.shape[:-2]))
    return segmenter.fit(
        _plane(array, indices[i]) for i in spread_evenly(SAMPLED_FRAMES, len(indices))
    )


def _plane(array: Any, index: tuple[int, ...]) -> NDArray[Any]:
    plane = array[index]
    return as_array(plane.compute(scheduler="synchronous") if is_lazy(plane) else plane)


def _prepared(
    fluorescence: ArrayLike | Stack,
    model: Model | str | Path | None,
    settings: _Settings,
    *,
    pixel_size_um: float | None,
    **options: Any,
) -> tuple[Any, Segmenter]:
    """Return array and segmenter, after checking that it is an image and the settings fit it."""
    if isinstance(fluorescence, Stack):
        pixel_size_um = fluorescence.pixel_size_um if pixel_size_um is None else pixel_size_um
    size_um = check_positive(pixel_size_um, "pixel size", "µm")
    array = as_image(fluorescence)
    settings.check(size_um)
    return array, Segmenter(model, pixel_size_um=size_um, **options)


def _segment_lazily(
    array: Any, segmenter: Segmenter, settings: _Settings, cancel: CancelToken | None
) -> Any:
    import dask.array as da
    import dask.base

    leading = range(array.ndim - 2)
    planewise = array.rechunk({**dict.fromkeys(leading, 1), array.ndim - 2: -1, array.ndim - 1: -1})
    movie = LazyNormalisation(lambda: fit_movie(array, segmenter))
    options = settings.as_options()

    def segmented(block: NDArray[Any]) -> Labels:
        if cancel is not None:
            cancel.raise_if_cancelled()
        maps = segmenter.maps(as_array(block.reshape(block.shape[-2:])), movie.fitted)
        return maps.labels(**options).reshape(block.shape)

    # without a name dask would hash the function, and for that fit the normalisation now
    facts = (
        array.name,
        segmenter.model.sha256,
        segmenter.pixel_size_um,
        segmenter.width_um,
        segmenter.averages,
        sorted(options.items()),
    )
    return da.map_blocks(
        segmented,
        planewise,
        name=f"segment-{dask.base.tokenize(*facts)}",
        dtype=np.int32,
        meta=np.empty((0,) * array.ndim, np.int32),
    )


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
    test_time_augmentation: bool = False,
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
    test_time_augmentation, device, tile
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

    from ..io import open_plane_writer

    settings = _Settings(threshold, min_area_um2, split)
    interval = check_positive(frame_interval_s, "frame interval", "s")
    stack = fluorescence if isinstance(fluorescence, Stack) else None
    array, segmenter = _prepared(
        fluorescence,
        model,
        settings,
        pixel_size_um=pixel_size_um,
        width_um=width_um,
        test_time_augmentation=test_time_augmentation,
        device=device,
        tile=tile,
    )
    with open_plane_writer(
        out,
        shape=tuple(int(n) for n in array.shape),
        dtype=np.int32,
        axes=image_axes(fluorescence, array.ndim, axes),
        pixel_size_um=segmenter.pixel_size_um,
        frame_interval_s=interval or (stack.frame_interval_s if stack else None),
        z_step_um=stack.z_step_um if stack else None,
        overwrite=overwrite,
        resume=resume,
        settings=f"model {segmenter.model.sha256} pixel {segmenter.pixel_size_um} width {width_um} "
        f"average {test_time_augmentation} {settings!r}",
    ) as writer:
        _write_planes(array, segmenter, settings, writer, progress, cancel)
    return Path(out)


def _write_planes(
    array: Any,
    segmenter: Segmenter,
    settings: _Settings,
    writer: Any,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> None:
    indices = list(np.ndindex(array.shape[:-2]))
    left = [number for number in range(len(indices)) if not writer.is_done(number)]
    reporter = Reporter(len(indices), "frame", "segmenting", progress, cancel)
    reporter.done = len(indices) - len(left)
    reporter.check()
    fitted = fit_movie(array, segmenter) if left else None
    for number in left:
        plane = _plane(array, indices[number])
        maps = segmenter.maps(plane, fitted, on_tile=lambda *_: reporter.check())
        writer.write(number, maps.labels(**settings.as_options()))
        reporter.advance()
