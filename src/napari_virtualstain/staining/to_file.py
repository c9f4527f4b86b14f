"""Staining a movie from file to file in memory that does not grow with its length.

Reading, computing and writing overlap: while the network works on some planes, the
next are read by one thread and the last are written by another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..axes import check_positive
from ..engine import PlaneSource, Precision, ahead, as_image, image_axes, parse_frames, planes_of
from ..errors import AxesError, InputError
from ..io import PlaneWriter, Stack, check_output, open_plane_writer
from ..normalisation import FittedNormalisation
from ..progress import CancelToken, ProgressCallback, Reporter
from .cluster import cluster_client, stain_on_cluster
from .flicker_filter import Steadying, flicker_limit
from .model_fit import FrameFit, assess_frame
from .opening import AnyStainer, open_stainer
from .several_devices import StainerTeam
from .stainer import StainedPlane, StainingSettings

OnFit = Callable[[FrameFit], None]


def stain_to_file(
    image: ArrayLike | Stack,
    out: str | Path,
    model: Any = None,
    *,
    axes: str | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    frames: str | slice | Sequence[int] | None = None,
    uncertainty_out: str | Path | None = None,
    device: str | None = None,
    tile: int | None = None,
    precision: Precision = "auto",
    test_time_augmentation: bool | None = None,
    temporal: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    scheduler: Any = None,
    on_fit: OnFit | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Path:
    """Stain a movie plane by plane into a file, and return its path.

    Parameters
    ----------
    image : array of shape (..., Y, X), or Stack
        Numpy or dask; a lazy one is read plane by plane.
    out : str or Path
        ``.ome.tif``, ``.tif`` or ``.ome.zarr``. It appears when it is complete.
    model : str, path, Model or None
        Generator, or the name of an add-on; None is the default one.
    axes, pixel_size_um, frame_interval_s : optional
        As the stack says, if not given; see :func:`stain`.
    frames : str, slice or sequence of int, optional
        Which along the time axis, see :func:`parse_frames`; only these are written.
    uncertainty_out : str or Path, optional
        Where to write the standard deviation of the expected error.
    device, tile, precision, test_time_augmentation : optional
        See :func:`stain`.
    temporal : int
        Average away flicker over so many frames before and after, where they agree; see
        :func:`reduce_flicker`. 0 leaves every frame as it is.
    resume : bool
        Go on where an interrupted run with the same settings stopped.
    overwrite : bool
        Whether existing files may be replaced.
    scheduler : str or distributed.Client, optional
        Address of a dask scheduler, whose workers stain; see :func:`cluster_client`.
    on_fit : callable, optional
        Told of each plane, before it is stained, how well it fits the model; see
        :func:`assess_fit`. Not for an add-on or a card without statistics, and not where a
        scheduler's workers read.
    progress, cancel : optional
        Told and asked once a plane. Cancelling keeps what is done, for resuming.

    Raises
    ------
    InputError, ModelError, DeviceError
        As :func:`stain`.
    OutputExistsError, OutputError
        The output is there already or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from napari_virtualstain.models import Model, ModelCard, build_network
    >>> card = ModelCard(name="tiny", architecture={"arguments": {"widths": [4, 4]}})
    >>> model = Model(build_network(card.architecture), card, "", None)
    >>> out = Path(tempfile.mkdtemp()) / "stained.ome.tif"
    >>> stain_to_file(np.zeros((3, 20, 30)), out, model, device="cpu").name
    'stained.ome.tif'
    """
    whole = _as_stack(image, axes, pixel_size_um, frame_interval_s)
    stack, positions = _chosen_frames(whole, frames)
    for path in (out, uncertainty_out):
        if path is not None:
            check_output(path, overwrite=overwrite)
    settings = StainingSettings(device, tile, precision, test_time_augmentation)
    stainer = open_stainer(
        model, settings, stack.pixel_size_um, uncertainty=uncertainty_out is not None
    )
    if scheduler is not None and isinstance(stainer, StainerTeam):
        raise InputError(
            f"Several devices ({device}) and a scheduler were given, but each of its workers uses "
            "one device. Leave one of the two out (--device, --scheduler)."
        )
    source = planes_of(whole.data, whole.axes, stainer.inputs, assumed=whole.assumed_axes)
    if positions:
        source = PlaneSource(stack.data, stack.axes, stainer.inputs, source, positions)
    fitted = stainer.fit(source)
    limit = flicker_limit(source, stainer, fitted, temporal) if temporal else 0.0
    note = f"{stainer.note} offset {fitted.offset!r} scale {fitted.scale!r} temporal {temporal}"
    with contextlib.ExitStack() as opened:
        # first, so that a cluster that is not there leaves what an earlier run began
        client = None if scheduler is None else opened.enter_context(cluster_client(scheduler))
        writers = [
            opened.enter_context(_writer(path, stack, note, resume=resume, overwrite=overwrite))
            for path in (out, uncertainty_out)
            if path is not None
        ]
        left = [i for i in range(len(source)) if not all(w.is_done(i) for w in writers)]
        reporter = Reporter(len(source), "frame", "staining", progress, cancel)
        reporter.done = len(source) - len(left)
        steadying = Steadying(source, temporal, limit, left) if temporal else None
        needed = left if steadying is None else steadying.needed
        output = _Output(writers, steadying, reporter)
        if client is not None:
            for index, plane in stain_on_cluster(source, stainer, fitted, needed, client):
                reporter.advance(output.take([index], [plane]))
        else:
            _run(source, stainer, fitted, output, needed, on_fit)
    return Path(out)


def _as_stack(
    image: ArrayLike | Stack,
    axes: str | None,
    pixel_size_um: float | None,
    frame_interval_s: float | None,
) -> Stack:
    """Return the image as a stack, with what the caller knows better put in."""
    array = as_image(image)
    named = image_axes(image, array.ndim, axes)
    stack = image if isinstance(image, Stack) else Stack(array, named, assumed_axes=True)
    return replace(
        stack,
        axes=named,
        assumed_axes=stack.assumed_axes and axes is None,
        pixel_size_um=check_positive(pixel_size_um, "pixel size", "µm") or stack.pixel_size_um,
        frame_interval_s=check_positive(frame_interval_s, "frame interval", "s")
        or stack.frame_interval_s,
    )


def _chosen_frames(
    stack: Stack, frames: str | slice | Sequence[int] | None
) -> tuple[Stack, tuple[int, ...]]:
    """Return the stack of some frames, and which they are; none if nothing was chosen.

    Raises
    ------
    InputError
        Not understood, or no such frame.
    AxesError
        Frames were chosen of an image without a time axis.
    """
    if frames is None:
        return stack, ()
    if "t" not in stack.axes:
        raise AxesError(
            f"Frames {frames!r} were chosen, but the image (axes {stack.axes!r}) has no time axis. "
            "Leave the choice out, or name the axes."
        )
    axis = stack.axes.index("t")
    wanted = parse_frames(frames, int(stack.data.shape[axis]))
    chosen = replace(stack, data=stack.data[(slice(None),) * axis + (wanted,)])
    return chosen, tuple(wanted)


def _writer(
    path: str | Path, stack: Stack, note: str, *, resume: bool, overwrite: bool
) -> PlaneWriter:
    return open_plane_writer(
        path,
        shape=stack.shape,
        dtype=np.float32,
        axes=stack.axes,
        pixel_size_um=stack.pixel_size_um,
        frame_interval_s=stack.frame_interval_s,
        z_step_um=stack.z_step_um,
        overwrite=overwrite,
        resume=resume,
        settings=note,
    )


@dataclass(slots=True)
class _Output:
    """Where stained planes go: through the filter against flicker, if any, into the files."""

    writers: list[PlaneWriter]
    steadying: Steadying | None
    reporter: Reporter

    def take(self, indices: list[int], planes: list[StainedPlane]) -> int:
        """Write planes, or hold them back until their neighbours in time are there.

        Returns how many were written.
        """
        written = 0
        for index, plane in zip(indices, planes, strict=True):
            ready = [(index, plane)] if self.steadying is None else self.steadying.add(index, plane)
            for each, final in ready:
                self.writers[0].write(each, final.fluorescence)
                if len(self.writers) > 1 and final.uncertainty is not None:
                    self.writers[1].write(each, final.uncertainty)
                written += 1
        return written


def _run(
    source: PlaneSource,
    stainer: AnyStainer,
    fitted: FittedNormalisation,
    output: _Output,
    indices: list[int],
    on_fit: OnFit | None,
) -> None:
    at_once = stainer.frames_at_once(source.plane_shape)
    groups = [indices[i : i + at_once] for i in range(0, len(indices), at_once)]
    check = output.reporter.check
    card = stainer.card

    def judge(index: int, plane: NDArray[Any]) -> None:
        if on_fit is not None and card is not None and card.statistics.get("features"):
            on_fit(assess_frame(plane, card, stainer.pixel_size_um, index, fitted))

    def read(group: list[int]) -> tuple[list[int], list[NDArray[Any]]]:
        batch = [source.read(index) for index in group]
        for index, planes in zip(group, batch, strict=True):
            judge(index, planes[len(planes) // 2])
        return group, batch

    def stain(given: tuple[list[int], list[NDArray[Any]]]) -> tuple[list[int], list[StainedPlane]]:
        check()
        return given[0], stainer.stain_batch(given[1], fitted, on_tile=lambda *_: check())

    stained = ahead(stain, ahead(read, groups, 1), stainer.threads)
    for written in ahead(lambda done: output.take(*done), stained, 1):
        output.reporter.advance(written)
