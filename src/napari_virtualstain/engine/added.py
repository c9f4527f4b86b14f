"""An image-to-image add-on of another package, called on whole frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..normalisation import FittedNormalisation


class AddedNetwork:
    """Add-on in the place of a model: sees whole frames as they are, and knows no settings.

    Calls it and checks what comes back; can be sent to another process.

    Parameters
    ----------
    name : str
        As its package calls it.
    offered : callable
        Returns the factories by name, such as :func:`napari_virtualstain.hooks.generators`.
    pixel_size_um : float or None
        Handed to the add-on.

    Examples
    --------
    >>> double = AddedNetwork("double", lambda: {"double": lambda: lambda image, **_: 2 * image})
    >>> double(np.ones((1, 2))).tolist()
    [[2.0, 2.0]]
    """

    def __init__(
        self,
        name: str,
        offered: Callable[[], dict[str, Callable[[], Any]]],
        pixel_size_um: float | None = None,
    ) -> None:
        self.name, self.pixel_size_um = name, pixel_size_um
        self._offered = offered
        self._made: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}

    @property
    def note(self) -> str:
        """What must be the same for a resumed run to give the same result."""
        return f"add-on {self.name} pixel {self.pixel_size_um}"

    @property
    def provenance(self) -> tuple[str, str]:
        """Name of the add-on; it has no file and so no checksum."""
        return self.name, ""

    def fit(self, planes: object) -> FittedNormalisation:
        """Return no normalisation: an add-on gets what the camera counted."""
        return FittedNormalisation()

    def __call__(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return what the add-on makes of a plane, an array of its shape.

        Raises
        ------
        ModelError
            The add-on failed, or returned something else than an image of the frame's size.
        """
        frame = plane.astype(np.float32)
        try:
            if self._made is None:
                self._made = self._offered()[self.name]()
            result = np.asarray(self._made(frame, pixel_size_um=self.pixel_size_um))
        except Exception as error:  # a stranger's code may raise anything
            raise ModelError(
                f"The add-on {self.name!r} failed ({error!r}). Tell its authors, or choose "
                "another model."
            ) from error
        if result.shape != frame.shape or result.dtype.kind not in "biuf":
            raise ModelError(
                f"The add-on {self.name!r} returned an image of shape {result.shape} and type "
                f"{result.dtype} for a frame of {frame.shape}: expected numbers of the same shape. "
                "Tell its authors, or choose another model."
            )
        return result
