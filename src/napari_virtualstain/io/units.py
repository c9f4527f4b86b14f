"""Physical units as image files spell them, and what can be true of a microscope.

Metadata that cannot be true (zero, negative, NaN, or outside the plausible range) is
not used: a pixel size of 352 µm is 72 dots per inch, not a measurement.
"""

from __future__ import annotations

import math

from ..axes import check_positive
from ..errors import InputError

# from beyond the resolution of electron microscopes to a low-power stereo microscope
PIXEL_SIZE_RANGE_UM = (0.0005, 20.0)
Z_STEP_RANGE_UM = (0.0005, 1000.0)
FRAME_INTERVAL_RANGE_S = (1e-6, 1e6)

_MICROMETRES = {
    **dict.fromkeys(["m", "meter", "metre"], 1e6),
    **dict.fromkeys(["cm", "centimeter", "centimetre"], 1e4),
    **dict.fromkeys(["mm", "millimeter", "millimetre"], 1e3),
    **dict.fromkeys(["µm", "um", "micron", "micrometer", "micrometre", "micro-meter"], 1.0),
    **dict.fromkeys(["nm", "nanometer", "nanometre"], 1e-3),
    **dict.fromkeys(["pm", "picometer", "picometre"], 1e-6),
    **dict.fromkeys(["å", "angstrom"], 1e-4),
    **dict.fromkeys(["inch", "in"], 25400.0),
}
_SECONDS = {
    **dict.fromkeys(["s", "sec", "second"], 1.0),
    **dict.fromkeys(["ms", "msec", "millisecond"], 1e-3),
    **dict.fromkeys(["µs", "us", "microsecond"], 1e-6),
    **dict.fromkeys(["ns", "nanosecond"], 1e-9),
    **dict.fromkeys(["min", "minute"], 60.0),
    **dict.fromkeys(["h", "hr", "hour"], 3600.0),
    **dict.fromkeys(["d", "day"], 86400.0),
}


def _factor(unit: str, table: dict[str, float]) -> float | None:
    text = unit.strip()
    for spelling in ("\\u00B5", "\\u00b5", "μ", "Âµ"):  # escaped, Greek, UTF-8 read as Latin-1
        text = text.replace(spelling, "µ")
    lowered = text.lower()
    for name in (lowered, lowered.removesuffix("s")):
        if name in table:
            return table[name]
    return None


def micrometres(value: float, unit: str | None) -> float | None:
    """Return `value` of a length unit in micrometres, None when the unit is unknown.

    Examples
    --------
    >>> micrometres(80.0, "nm")
    0.08
    """
    factor = _factor(unit or "", _MICROMETRES)
    return None if factor is None else value * factor


def seconds(value: float, unit: str | None) -> float | None:
    """Return `value` of a time unit in seconds, None when the unit is unknown.

    Examples
    --------
    >>> seconds(2.5, "min")
    150.0
    """
    factor = _factor(unit or "", _SECONDS)
    return None if factor is None else value * factor


def is_plausible(value: float, limits: tuple[float, float]) -> bool:
    """Return whether `value` is finite and within `limits`, both included."""
    return math.isfinite(value) and limits[0] <= value <= limits[1]


def check_given(
    value: float | None, name: str, unit: str, limits: tuple[float, float]
) -> float | None:
    """Return a quantity that the user gave, or refuse it with a hint at its unit.

    Raises
    ------
    InputError
        Not a positive number, or outside `limits`.
    """
    number = check_positive(value, name, unit)
    if number is not None and not is_plausible(number, limits):
        raise InputError(
            f"The {name} is {number:g} {unit}: expected between {limits[0]:g} and "
            f"{limits[1]:g} {unit}. Check the unit (80 nm is 0.08 µm)."
        )
    return number
