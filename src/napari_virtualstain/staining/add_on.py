"""A generator that another package added, in the place of a model of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..axes import check_positive
from ..engine import AddedNetwork, OnTile, PlaneSlices
from ..errors import InputError
from ..hooks import added_name, generators
from ..models import Inputs, list_models
from ..normalisation import FittedNormalisation
from .stainer import StainedPlane


class AddOnStainer(AddedNetwork):
    """Stainer by an add-on, which sees whole frames and knows no tiles.

    Parameters
    ----------
    name : str
        As its package calls it.
    pixel_size_um : float or None
        Handed to the add-on.

    Examples
    --------
    >>> AddOnStainer("some add-on", 0.1).note
    'add-on some add-on pixel 0.1'
    """

    averages = False
    card = None
    inputs = Inputs()
    threads = 0

    def __init__(self, name: str, pixel_size_um: float | None = None) -> None:
        super().__init__(name, generators, check_positive(pixel_size_um, "pixel size", "µm"))

    def with_uncertainty(self) -> AddOnStainer:
        """Refuse: an add-on returns the fluorescence only.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(
            f"{self.name!r} is an add-on, which predicts no uncertainty. Leave the uncertainty "
            "out, or choose a model."
        )

    def frames_at_once(self, shape: tuple[int, int], region: PlaneSlices | None = None) -> int:
        """Return 1."""
        return 1

    def stain(
        self,
        planes: NDArray[Any],
        fitted: FittedNormalisation,
        *,
        region: PlaneSlices | None = None,
        on_tile: OnTile | None = None,
    ) -> StainedPlane:
        """Return the result for one plane, (1, Y, X), or for a region of it.

        Raises
        ------
        ModelError
            The add-on failed, or returned something else than an image of the frame's size.
        """
        result = self(planes[0]).astype(np.float32)
        return StainedPlane(result if region is None else result[region])

    def stain_batch(
        self,
        batch: list[NDArray[Any]],
        fitted: FittedNormalisation,
        *,
        region: PlaneSlices | None = None,
        on_tile: OnTile | None = None,
    ) -> list[StainedPlane]:
        """Return the results for some planes, see :meth:`stain`."""
        return [self.stain(planes, fitted, region=region) for planes in batch]


def is_add_on(model: Any) -> bool:
    """Whether a name means a generator of another package; names of models come first.

    Examples
    --------
    >>> is_add_on("mito-h9c2")
    False
    """
    return added_name(model, "generator", (entry.name for entry in list_models())) is not None
