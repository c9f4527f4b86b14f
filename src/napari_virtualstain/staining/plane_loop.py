"""The loop over the planes of a movie that every front end stains with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from ..engine import Planes, PlaneSlices, look_ahead
from ..normalisation import FittedNormalisation
from .model_opening import AnyStainer
from .stainer import StainedPlane

OnRead = Callable[[int, NDArray[Any]], None]


def stain_planes(
    planes: Planes,
    stainer: AnyStainer,
    fitted: FittedNormalisation,
    order: Sequence[int],
    *,
    region: PlaneSlices | None = None,
    check: Callable[[], None] = lambda: None,
    on_read: OnRead | None = None,
    on_tile: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[int, StainedPlane]]:
    """Yield each plane's index and result, in the order asked for.

    While the network works on some planes, the next are read by a thread. The first plane is
    stained alone, so that it is there at once.

    Parameters
    ----------
    planes : Planes
        The movie.
    stainer : Stainer or AddOnStainer
        See :func:`open_stainer`.
    fitted : FittedNormalisation
        Of the movie.
    order : sequence of int
        Planes to stain: forward for a file, outward from the visible one for a viewer.
    region : (slice, slice), optional
        Rows and columns to return, see :meth:`Stainer.stain`.
    check : callable
        Called before planes are stained; may raise to stop.
    on_read : callable, optional
        Given index and pixels of each plane before it is stained.
    on_tile : callable, optional
        Called before each tile with its number and their count; may raise to stop.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_virtualstain.models import Model, ModelCard, build_network
    >>> card = ModelCard(name="tiny", architecture={"arguments": {"widths": [4, 4]}})
    >>> model = Model(build_network(card.architecture), card, "", None)
    >>> planes = Planes(np.zeros((3, 20, 30)), "tyx")
    >>> from napari_virtualstain.staining import open_stainer
    >>> stainer = open_stainer(model, pixel_size_um=0.08, device="cpu")
    >>> [i for i, _ in stain_planes(planes, stainer, FittedNormalisation(), [1, 2, 0])]
    [1, 2, 0]
    """

    def read(group: Sequence[int]) -> tuple[Sequence[int], list[NDArray[Any]]]:
        batch = [planes.read(index) for index in group]
        if on_read is not None:
            for index, read_planes in zip(group, batch, strict=True):
                on_read(index, read_planes[len(read_planes) // 2])
        return group, batch

    def stain(
        given: tuple[Sequence[int], list[NDArray[Any]]],
    ) -> tuple[Sequence[int], list[StainedPlane]]:
        check()
        group, batch = given
        return group, stainer.stain_batch(batch, fitted, region=region, on_tile=on_tile)

    at_once = stainer.frames_at_once(planes.plane_shape, region)
    later = order[1:]
    groups = [order[:1], *(later[i : i + at_once] for i in range(0, len(later), at_once))]
    reading = look_ahead(read, groups if order else [], 1)
    for group, stained in look_ahead(stain, reading, stainer.threads):
        yield from zip(group, stained, strict=True)
