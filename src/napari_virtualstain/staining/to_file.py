"""Staining a movie from file to file in memory that does not grow with its length.

Reading, computing and writing overlap: while the network works on some planes, the
next are read by one thread and the last are written by another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine import Planes, Precision, look_ahead, resolve_devices
from ..errors import InputError
from ..io import (
    PlaneWriter,
    Stack,
    check_output,
    image_format,
    open_writer_like,
    remove_leftovers,
    unwritten_outputs,
)
from ..normalisation import FittedNormalisation
from ..progress import CancelToken, ProgressCallback, Reporter
from ..settings import StainSettings, checked_settings, renamed_keywords
from .cluster import cluster_client, stain_on_cluster
from .flicker_filter import Steadying, flicker_limit
from .inputs import Frames, open_for_staining
from .model_fit import FrameFit, assess_frame
from .model_opening import AnyStainer
from .plane_loop import stain_planes
from .stainer import StainedPlane

OnFit = Callable[[FrameFit], None]


@renamed_keywords(test_time_augmentation="average")
def stain_to_file(
    image: ArrayLike | Stack,
    out: str | Path,
    model: Any = None,
    *,
    axes: str | None = None,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    frames: Frames = None,
    uncertainty_out: str | Path | None = None,
    device: str | None = None,
    tile: int | None = None,
    precision: Precision = "auto",
    average: bool | None = None,
    temporal: int = 0,
    flat_field: bool = False,
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
    device, tile, precision, average : optional
        See :func:`stain`.
    temporal : int
        Average away flicker over so many frames before and after, where they agree; see
        :func:`reduce_flicker`. 0 leaves every frame as it is.
    flat_field : bool
        Divide each frame by its own slow illumination field, see :mod:`.flat_field`.
    resume : bool
        Go on where an interrupted run with the same settings stopped.
    overwrite : bool
        Whether existing files may be replaced.
    scheduler : str or distributed.Client, optional
        Address of a dask scheduler, whose workers stain; see :func:`cluster_client`.
    on_fit : callable, optional
        Given the fit of each plane to the model, before it is stained; see
        :func:`assess_fit`. Not for an add-on or a card without statistics, and not where a
        scheduler's workers read.
    progress, cancel : optional
        Called and checked once a plane. Cancelling keeps what is done, for resuming.

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
    outputs = _checked_outputs(out, uncertainty_out, resume=resume, overwrite=overwrite)
    settings = checked_settings(
        StainSettings,
        precision=precision,
        average=average,
        temporal=temporal,
        flat_field=flat_field,
        uncertainty=uncertainty_out is not None,
    )
    movie = open_for_staining(
        image,
        model,
        settings,
        axes=axes,
        pixel_size_um=pixel_size_um,
        frame_interval_s=frame_interval_s,
        frames=frames,
        device=device,
        tile=tile,
    )
    if scheduler is not None and len(resolve_devices(device)) > 1:
        raise InputError(
            f"Several devices ({device}) and a scheduler were given, but each of its workers uses "
            "one device. Leave one of the two out (--device, --scheduler)."
        )
    planes, stainer = movie.planes, movie.stainer
    fitted = stainer.fit(planes)
    limit = flicker_limit(planes, stainer, fitted, temporal) if temporal else 0.0
    note = (
        f"{stainer.note} offset {fitted.offset!r} scale {fitted.scale!r} level {fitted.level!r} "
        f"temporal {temporal}"
    )
    with contextlib.ExitStack() as opened:
        # first, so that a cluster that is not there leaves what an earlier run began
        client = None if scheduler is None else opened.enter_context(cluster_client(scheduler))
        writers = [
            opened.enter_context(
                open_writer_like(
                    path, movie.stack, np.float32, overwrite=overwrite, resume=resume, settings=note
                )
            )
            for path in outputs
        ]
        left = [i for i in range(len(planes)) if not all(w.is_done(i) for w in writers)]
        if left and uncertainty_out is not None and len(outputs) == 1:
            check_output(uncertainty_out, overwrite=False)  # it is there: refused
        reporter = Reporter(len(planes), "frame", "staining", progress, cancel)
        reporter.done = len(planes) - len(left)
        steadying = Steadying(planes, temporal, limit, left) if temporal else None
        order = left if steadying is None else steadying.needed
        output = _Output(writers, steadying)
        if client is None:
            stained = _stained_here(planes, stainer, fitted, order, reporter.check, on_fit)
        else:
            stained = stain_on_cluster(planes, stainer, fitted, order, client)
        # written by a thread of its own, while the network works on
        for written in look_ahead(lambda done: output.take(*done), stained, 1):
            reporter.advance(written)
    return Path(out)


def _checked_outputs(
    out: str | Path, uncertainty_out: str | Path | None, *, resume: bool, overwrite: bool
) -> list[Path]:
    """Return the files that are still to be written.

    Raises
    ------
    OutputExistsError, OutputError
        One is there already or cannot be written.
    """
    outputs = unwritten_outputs(out, uncertainty_out, resume=resume, overwrite=overwrite)
    if uncertainty_out is not None and len(outputs) == 1:
        remove_leftovers(Path(uncertainty_out))  # what the kill left of its journal
    for path in outputs:
        image_format(path)
        check_output(path, overwrite=overwrite)
    return outputs


@dataclass(slots=True)
class _Output:
    """Output of stained planes: through the flicker filter, if any, into the files."""

    writers: list[PlaneWriter]
    steadying: Steadying | None

    def take(self, index: int, plane: StainedPlane) -> int:
        """Write a plane, or hold it back until its neighbours in time are there.

        Returns how many were written.
        """
        written = 0
        ready = [(index, plane)] if self.steadying is None else self.steadying.add(index, plane)
        for each, final in ready:
            self.writers[0].write(each, final.fluorescence)
            if len(self.writers) > 1 and final.uncertainty is not None:
                self.writers[1].write(each, final.uncertainty)
            written += 1
        return written


def _stained_here(
    planes: Planes,
    stainer: AnyStainer,
    fitted: FittedNormalisation,
    order: list[int],
    check: Callable[[], None],
    on_fit: OnFit | None,
) -> Iterator[tuple[int, StainedPlane]]:
    """Yield stained planes of this process, after the fit of each is announced."""
    card = stainer.card

    def judge(index: int, plane: NDArray[Any]) -> None:
        if on_fit is not None and card is not None and card.statistics.get("features"):
            on_fit(assess_frame(plane, card, stainer.pixel_size_um, index, fitted))

    return stain_planes(
        planes, stainer, fitted, order, check=check, on_read=judge, on_tile=lambda *_: check()
    )
