"""Unit words of files against an independent registry of units."""

from __future__ import annotations

import pint
import pytest

from napari_virtualstain.io.units import micrometres, seconds

_UNITS = pint.UnitRegistry()


@pytest.mark.parametrize("word", ["day", "d", "hour", "h", "min", "s", "ms", "us", "ns"])
def test_time_units(word: str) -> None:
    assert seconds(1.5, word) == pytest.approx(_UNITS.Quantity(1.5, word).m_as("s"))


@pytest.mark.parametrize("word", ["m", "cm", "mm", "micron", "nm", "pm", "angstrom", "inch"])
def test_length_units(word: str) -> None:
    assert micrometres(1.5, word) == pytest.approx(_UNITS.Quantity(1.5, word).m_as("um"))
