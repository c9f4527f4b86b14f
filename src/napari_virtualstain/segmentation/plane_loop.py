"""The loop over the planes of a movie that every front end segments with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import Planes
from ..normalisation import ComputedOnce
from ..settings import SegmentSettings
from .instances import Labels
from .model_opening import AnySegmenter
from .segmenter import Segmenter

if TYPE_CHECKING:
    from .maps import SegmentationMaps


class SegmentedPlanes:
    """Labelled planes of a movie, with the network's maps kept so that other cuts cost little.

    Parameters
    ----------
    planes : Planes
        The movie.
    segmenter : Segmenter or AddOnSegmenter
        See :func:`open_segmenter`.
    memory_limit : float
        Bytes of maps to keep; those of one plane are always kept.
    check : callable
        Called before each plane and tile; may raise to stop. Can be replaced.

    Examples
    --------
    >>> movie = np.random.default_rng(0).poisson(50, (3, 64, 64))
    >>> segmenter = Segmenter("mito-segment", pixel_size_um=0.08, device="cpu")
    >>> made = SegmentedPlanes(Planes(movie, "tyx"), segmenter)
    >>> [index for index, _ in made.labels_of([2, 0], SegmentSettings())]
    [2, 0]
    """

    def __init__(
        self,
        planes: Planes,
        segmenter: AnySegmenter,
        *,
        memory_limit: float = 0,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.planes, self.segmenter, self.check = planes, segmenter, check
        self.fitted = ComputedOnce(lambda: segmenter.fit(planes.sample()))
        self._memory_limit = memory_limit
        self._maps: OrderedDict[int, SegmentationMaps] = OrderedDict()

    def labels_of(
        self, order: Iterable[int], settings: SegmentSettings
    ) -> Iterator[tuple[int, Labels]]:
        """Yield each plane's index and labels, in the order asked for."""
        for index in order:
            self.check()
            yield index, self.labels(index, settings)

    def labels(self, index: int, settings: SegmentSettings) -> Labels:
        """Return the labels of one plane, int32 (Y, X), from its maps if they are kept."""
        if not isinstance(self.segmenter, Segmenter):
            return self.segmenter.labels(self.planes.plane(index), self.fitted.value, settings)
        maps = self.maps(index)
        self.check()
        return maps.labels(
            threshold=settings.threshold,
            min_area_um2=settings.min_area_um2,
            split=settings.split,
        )

    def maps(self, index: int) -> SegmentationMaps:
        """Return the network's maps of one plane, from memory if they are there."""
        if not isinstance(self.segmenter, Segmenter):
            raise TypeError("an add-on has no maps")
        if index not in self._maps:
            self._maps[index] = self.segmenter.maps(
                self.planes.plane(index), self.fitted.value, on_tile=lambda *_: self.check()
            )
        self._maps.move_to_end(index)
        largest = max(1, int(self._memory_limit // max(1, _bytes(self._maps[index]))))
        while len(self._maps) > largest:
            self._maps.popitem(last=False)
        return self._maps[index]


def _bytes(maps: Any) -> int:
    """Return the bytes that the arrays of `maps` take."""
    names = getattr(type(maps), "__slots__", ()) or vars(maps)
    arrays = [getattr(maps, name, None) for name in names]
    distinct = {id(array): array.nbytes for array in arrays if isinstance(array, np.ndarray)}
    return sum(distinct.values())
