"""Axis strings and the geometry that goes with them.

Axes are lowercase letters, slowest first: ``t`` time, ``c`` channel, ``z`` plane,
``y`` row, ``x`` column. Input may be upper case, as OME and tifffile write it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .errors import AxesError, InputError, check_kind

ORDER = "tczyx"
# what axes an unlabelled array most likely has: a movie rather than a z stack
USUAL_AXES = {2: "yx", 3: "tyx", 4: "tzyx", 5: ORDER}
# of the paper's camera and of all shipped models: taken where a size is needed and none is known
USUAL_PIXEL_SIZE_UM = 0.08
_UNLIKE = 1.1  # ratio of pixel sizes


def are_unlike_sizes(first_um: float, second_um: float) -> bool:
    """Return whether structures look clearly larger at one pixel size than at another.

    Examples
    --------
    >>> are_unlike_sizes(0.08, 0.085), are_unlike_sizes(0.08, 0.1)
    (False, True)
    """
    return max(first_um / second_um, second_um / first_um) > _UNLIKE


def normalise_axes(axes: str, ndim: int | None = None) -> str:
    """Return `axes` in lower case after checking them.

    Parameters
    ----------
    axes : str
        Such as ``"TYX"`` or ``"tyx"``; each of t c z y x at most once, y and x always.
    ndim : int, optional
        Number of dimensions that they must describe.

    Raises
    ------
    AxesError
        Unknown or repeated letter, y or x missing, or not `ndim` letters.

    Examples
    --------
    >>> normalise_axes("TYX")
    'tyx'
    """
    check_kind(axes, str, "axes", "letters such as 'tyx'")
    lowered = axes.lower()
    unknown = sorted(set(lowered) - set(ORDER))
    if unknown or len(set(lowered)) != len(lowered) or not {"y", "x"} <= set(lowered):
        raise AxesError(
            f"Axes {axes!r} cannot be used: expected each of t, c, z, y, x at most once, "
            "with y and x always present, for instance 'tyx'."
        )
    if ndim is not None and len(lowered) != ndim:
        raise AxesError(
            f"Axes {axes!r} name {len(lowered)} dimensions but the image has {ndim}. "
            f"Give one letter for each dimension, for instance {ORDER[-ndim:]!r}."
        )
    return lowered


@dataclass(frozen=True, slots=True)
class Geometry:
    """Placement of the samples of an image in space and time.

    Attributes
    ----------
    axes : str
        One letter for each dimension, see :data:`ORDER`.
    pixel_size_um : float or None
        Size of a pixel in y and x, micrometres; None when it is not known.
    frame_interval_s : float or None
        Seconds from frame to frame; None when it is not known.
    z_step_um : float or None
        Distance of planes, micrometres; None when it is not known.
    """

    axes: str
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    z_step_um: float | None = None

    @property
    def scale(self) -> tuple[float, ...]:
        """Step along each axis in its unit; 1 where it is not known."""
        steps = {
            "t": self.frame_interval_s,
            "z": self.z_step_um,
            "y": self.pixel_size_um,
            "x": self.pixel_size_um,
        }
        return tuple(steps.get(axis) or 1.0 for axis in self.axes)

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each axis; ``pixel`` where the step is not known."""
        units = {
            "t": "second" if self.frame_interval_s else "pixel",
            "z": "micrometer" if self.z_step_um else "pixel",
            "y": "micrometer" if self.pixel_size_um else "pixel",
            "x": "micrometer" if self.pixel_size_um else "pixel",
        }
        return tuple(units.get(axis, "pixel") for axis in self.axes)

    def without(self, axis: str) -> Geometry:
        """Return the geometry after indexing one position of `axis`."""
        return replace(self, axes=self.axes.replace(axis, ""))


def check_positive(value: float | None, name: str, unit: str) -> float | None:
    """Return `value` as float if it is a positive finite number, or None as None.

    Raises
    ------
    InputError
        No number, zero, negative, NaN or infinite.

    Examples
    --------
    >>> check_positive(0.08, "pixel size", "µm")
    0.08
    """
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number <= 0:
        raise InputError(
            f"The {name} is {value} {unit}: expected a positive number of {unit}. "
            f"Correct it, or leave it out to read it from the file."
        )
    return number
