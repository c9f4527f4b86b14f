"""Colours of napari's theme, for what is painted by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor


@dataclass(frozen=True, slots=True)
class ThemeColours:
    """Colours as ``#rrggbb``.

    Attributes
    ----------
    background, text, mark : str
        Of a plot, of its axes, and of what is chosen.
    """

    background: str
    text: str
    mark: str


def theme_colours(viewer: Any) -> ThemeColours:
    """Return the colours of the viewer's theme; stylesheets do not reach Qt's palette."""
    theme = get_theme(viewer.theme)
    colours = (QColor(str(one)) for one in (theme.background, theme.text, theme.current))
    return ThemeColours(*(colour.name() for colour in colours))


def dress(plot: Any, colours: ThemeColours) -> None:
    """Give a pyqtgraph plot the colours of the theme, and numbers without SI prefixes."""
    plot.setBackground(colours.background)
    # half a number stands above the end of the axis
    plot.getPlotItem().layout.setContentsMargins(2, 8, 8, 2)
    for side in ("bottom", "left"):
        axis = plot.getPlotItem().getAxis(side)
        axis.setPen(colours.text)
        axis.setTextPen(colours.text)
        if axis.autoSIPrefix:  # asked again, it would scale the numbers by the present range
            axis.enableAutoSIPrefix(False)
