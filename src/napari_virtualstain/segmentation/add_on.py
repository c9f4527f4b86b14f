"""Segmenter add-on of another package, in the place of a model of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import AddedNetwork
from ..errors import ModelError
from ..hooks import segmenters
from ..normalisation import FittedNormalisation
from ..settings import SegmentSettings
from .instances import Labels


class AddOnSegmenter(AddedNetwork):
    """Segmenter by an add-on, which sees whole frames and has no settings of ours.

    Parameters
    ----------
    name : str
        As its package calls it.
    pixel_size_um : float or None
        Handed to the add-on.

    Examples
    --------
    >>> AddOnSegmenter("some add-on", 0.1).note
    'add-on some add-on pixel 0.1'
    """

    def __init__(self, name: str, pixel_size_um: float | None = None) -> None:
        super().__init__(name, segmenters, pixel_size_um)

    def labels(
        self,
        plane: NDArray[Any],
        fitted: FittedNormalisation | None,
        settings: SegmentSettings,
        *,
        on_tile: Callable[[int, int], None] | None = None,
    ) -> Labels:
        """Return the labels of one plane, int32 (Y, X); settings have no effect.

        Raises
        ------
        ModelError
            The add-on failed, or returned something else than labels of the frame's size.
        """
        found = self(plane)
        if found.dtype.kind == "f" and not (found == np.round(found)).all():
            raise ModelError(
                f"The add-on {self.name!r} returned numbers with fractions: expected one whole "
                "number for each mitochondrion. Tell its authors, or choose another model."
            )
        return found.astype(np.int32)
