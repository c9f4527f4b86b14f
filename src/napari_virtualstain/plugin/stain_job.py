"""The work of the dock `Virtual staining`, without Qt and without the viewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np

from ..progress import Reporter
from .jobs import JobContext
from .preferences import Preferences
from .regions import Region, outward
from .results import allocate


@dataclass(frozen=True, slots=True)
class StainRequest:
    """Everything that the thread needs, copied from the dock in the GUI thread.

    Attributes
    ----------
    data : array
        The bright-field layer's data, lazy or not, (…, Y, X).
    axes : str
        Its axes.
    region : Region
        The part to stain.
    centre : tuple of int
        The visible plane, as an index into the leading axes of `data`.
    model : str
        Name or path.
    pixel_size_um : float or None
        Of the data.
    device : str or None
        None lets the engine choose.
    tile : int or None
        None lets the engine choose.
    preferences : Preferences
        Where large results go.
    """

    data: Any
    axes: str
    region: Region
    centre: tuple[int, ...]
    model: str
    pixel_size_um: float | None
    device: str | None
    tile: int | None
    preferences: Preferences


@dataclass(frozen=True, slots=True)
class Started:
    """The result array exists; planes will be written into it.

    Attributes
    ----------
    result : ndarray
        Zeros where no plane was written yet.
    model_name, model_sha256 : str
        For the layer's metadata.
    """

    result: np.ndarray
    model_name: str
    model_sha256: str


@dataclass(frozen=True, slots=True)
class PlaneDone:
    """One plane of the result is final.

    Attributes
    ----------
    index : tuple of int
        Index into the leading axes of the result.
    limits : tuple of float or None
        Display limits, with the first plane only.
    """

    index: tuple[int, ...]
    limits: tuple[float, float] | None = None


def stain_job(request: StainRequest, context: JobContext) -> Iterator[Started | PlaneDone]:
    """Yield the stained planes of the request, the visible one first."""
    from ..inference import stain
    from ..models import load_model

    model = load_model(request.model, kind="generator")
    movie = _planes(request.data)[request.region.slices]
    lazy = stain(
        movie,
        model,
        pixel_size_um=request.pixel_size_um,
        device=request.device,
        tile=request.tile,
        cancel=context.cancel,
    )
    result = allocate(
        movie.shape,
        np.float32,
        folder=request.preferences.cache_folder,
        memory_limit_gib=request.preferences.memory_limit_gib,
    )
    yield Started(result, model.name, model.sha256)
    leading = movie.shape[:-2]
    reporter = Reporter(
        int(np.prod(leading)), "frame", "staining", context.progress, context.cancel
    )
    centre = [
        int(np.clip(c - o, 0, n - 1))
        for c, o, n in zip(request.centre, request.region.offset, leading, strict=False)
    ]
    limits: tuple[float, float] | None = None
    for index in outward(leading, centre):
        context.cancel.raise_if_cancelled()
        plane = np.asarray(lazy[index].compute(scheduler="synchronous"))
        result[index] = plane
        first, limits = limits is None, limits or display_limits(plane)
        yield PlaneDone(index, limits if first else None)
        reporter.advance()


def display_limits(plane: np.ndarray) -> tuple[float, float]:
    """Return display limits of a stained plane: dark background, a few bright pixels clipped."""
    low, high = np.percentile(plane[np.isfinite(plane)], [1.0, 99.8])
    return float(low), float(high if high > low else low + 1.0)


def _planes(data: Any) -> da.Array:
    """Return `data` as a dask array whose chunks are planes."""
    lazy = data if isinstance(data, da.Array) else da.asarray(data)
    chunks = (1,) * (lazy.ndim - 2) + lazy.shape[-2:]
    return lazy.rechunk(chunks)
