"""Objective and emission wavelengths as image files state them.

A value that cannot be true (an aperture above the index of its medium, a wavelength that is not
light) is left out: the user enters it then, as for a file that states nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .units import is_plausible

_NA_RANGE = (0.02, 1.7)
_INDEX_RANGE = (1.0, 1.8)
_WAVELENGTH_RANGE_UM = (0.3, 1.2)
_INDICES = {
    "oil": 1.515,
    "glycerol": 1.47,
    "glycerin": 1.47,
    "silicone": 1.406,
    "waterdipping": 1.333,
    "water": 1.333,
    "air": 1.0,
    "dry": 1.0,
}
# Lens numbers of DeltaVision headers, from the objectives that Bio-Formats lists: numbers of the
# 40x lenses and above by aperture and medium
_LENSES: dict[tuple[float, str], tuple[int, ...]] = {
    (0.75, "air"): (10407, 10411, 12403, 12413),
    (0.85, "air"): (10401, 10404, 12606),
    (0.95, "air"): (10012, 10405, 12405, 12409, 12411, 12603, 12605),
    (1.15, "water"): (10410, 10413),
    (1.2, "water"): (10603, 10604, 10611, 10616, 12602),
    (1.0, "oil"): (10406, 12406),
    (1.25, "oil"): (10608,),
    (1.3, "oil"): (10000, 10001, 10004, 10008, 10402, 10416, 12001, 12401, 12402, 12404),
    (1.3, "silicone"): (10615,),
    (1.35, "oil"): (10003, 10005, 10403, 10412, 10415),
    (1.4, "oil"): (
        *(10002, 10006, 10007, 10600, 10601, 10602, 10607, 10609, 10610),
        *(12000, 12003, 12600, 12601),
    ),
    (1.42, "oil"): (10612,),
    (1.45, "oil"): (10010, 10613, 11500),
    (1.49, "oil"): (10011, 10614, 10617),
}
_LENS = {number: lens for lens, numbers in _LENSES.items() for number in numbers}
_IN_WORDS = (
    re.compile(r"\d+(?:\.\d+)?\s?x\s?/\s?(\d\.\d{1,3})", re.IGNORECASE),
    re.compile(r"\bNA\s?[:=]?\s?(\d\.\d{1,3})", re.IGNORECASE),
    re.compile(r"(\d\.\d{1,3})\s?NA\b", re.IGNORECASE),
)
_LONGEST_LABEL = 200


@dataclass(frozen=True, slots=True)
class StatedOptics:
    """Objective and emission wavelengths of a file; None and empty where it states nothing.

    Attributes
    ----------
    numerical_aperture : float or None
        Of the objective.
    immersion_index : float or None
        Refractive index of the medium between objective and cover glass.
    wavelengths_um : tuple of float or None
        Emission of each channel, micrometres; None for transmitted light.

    Examples
    --------
    >>> StatedOptics(1.42, 1.515, (None, 0.608)).of_channel(1).as_record()
    {'numerical_aperture': 1.42, 'immersion_index': 1.515, 'wavelength_um': 0.608}
    """

    numerical_aperture: float | None = None
    immersion_index: float | None = None
    wavelengths_um: tuple[float | None, ...] = ()

    def of_channel(self, channel: int) -> StatedOptics:
        """Return the optics of one channel."""
        return replace(self, wavelengths_um=self.wavelengths_um[channel : channel + 1])

    def of_channels(self, count: int) -> StatedOptics:
        """Return the optics without wavelengths that are not one for each of `count` channels."""
        fits = len(self.wavelengths_um) == count
        return self if fits else replace(self, wavelengths_um=())

    def as_record(self) -> dict[str, float]:
        """Return what is known of an image of one channel, by the names of a model card."""
        emission = self.wavelengths_um[0] if len(self.wavelengths_um) == 1 else None
        known = {
            "numerical_aperture": self.numerical_aperture,
            "immersion_index": self.immersion_index,
            "wavelength_um": emission,
        }
        return {name: value for name, value in known.items() if value is not None}


NOT_STATED = StatedOptics()


def stated(
    numerical_aperture: Any = None,
    immersion: Any = None,
    wavelengths_um: Sequence[float | None] = (),
) -> StatedOptics:
    """Return those of the values that can be true.

    Parameters
    ----------
    numerical_aperture : float or str, optional
        As the file gives it.
    immersion : float or str, optional
        Refractive index, or the name of the medium.
    wavelengths_um : sequence of float or None
        Emission of each channel.

    Examples
    --------
    >>> stated("1.4", "Oil", [0.525])
    StatedOptics(numerical_aperture=1.4, immersion_index=1.515, wavelengths_um=(0.525,))
    >>> stated(1.4, "Air").immersion_index is None
    True
    """
    aperture, index = number_in(numerical_aperture), number_in(immersion)
    if index is None and isinstance(immersion, str):
        index = _INDICES.get(immersion.replace(" ", "").replace("-", "").lower())
    if aperture is not None and not is_plausible(aperture, _NA_RANGE):
        aperture = None
    if index is not None and not is_plausible(index, _INDEX_RANGE):
        index = None
    if aperture is not None and index is not None and aperture >= index:
        index = None
    lights = tuple(
        float(light) if light is not None and is_plausible(light, _WAVELENGTH_RANGE_UM) else None
        for light in wavelengths_um
    )
    return StatedOptics(aperture, index, lights if any(lights) else ())


def optics_of_lens(number: int, wavelengths_um: Sequence[float | None] = ()) -> StatedOptics:
    """Return the optics of a lens by its DeltaVision number; an unknown lens states nothing.

    Examples
    --------
    >>> optics_of_lens(10612).numerical_aperture
    1.42
    """
    aperture, medium = _LENS.get(number, (None, None))
    return stated(aperture, medium, wavelengths_um)


def optics_in_words(label: object) -> StatedOptics:
    """Return the optics that the name of an objective gives.

    Examples
    --------
    >>> optics_in_words("Plan Apo Lambda 60x/1.40 Oil")
    StatedOptics(numerical_aperture=1.4, immersion_index=1.515, wavelengths_um=())
    """
    text = str(label)[:_LONGEST_LABEL]
    found = next((match for known in _IN_WORDS if (match := known.search(text))), None)
    words = re.findall(r"[a-z]+", text.lower())
    medium = next((name for name in _INDICES if name in words), None)
    return stated(found[1] if found else None, medium)


def number_in(value: Any) -> float | None:
    """Return a number that a file gives as text, None for other text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
