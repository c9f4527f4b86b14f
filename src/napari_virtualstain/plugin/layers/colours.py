"""Colours and contrast of the layers that this plugin shows.

Stain and truth are green and magenta, a pair that every eye tells apart. Outlines and tracks
are pale tints, which stand out from both and from grey, also for colour-blind eyes; a test
holds the distances. The bright-field below a stain is dimmed, so that the stain decides what is
seen; its contrast limits stay as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import Colormap, CyclicLabelColormap

from .description import provenance_of

STAIN_COLORMAP = "green"
TRUE_COLORMAP = "magenta"
ERROR_COLORMAP = "magma"
TINTS = ("#FFFFFF", "#FFC9A3", "#BFE3FF", "#FFF2A8", "#C9B8FF", "#FFB3C6")
DIMMED = "dimmed gray"
_DIMMED_WHITE = 0.4
_LARGE_PX = 800


def _rgba(text: str) -> tuple[float, float, float, float]:
    red, green, blue = (int(text[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue, 1.0


def label_colormap() -> CyclicLabelColormap:
    """Return the colours of outlines, by the number of the label."""
    colours = [(0.0, 0.0, 0.0, 0.0), *map(_rgba, TINTS)]
    return CyclicLabelColormap(colors=np.array(colours), name="pale tints")


class TrackColormap(Colormap):
    """A colormap in which a track has the colour of the label of the same number."""

    def map(self, values: Any) -> np.ndarray:
        """Return one colour for each number of a track."""
        numbers = np.rint(np.asarray(values, float)).astype(np.int64)
        return np.asarray(np.asarray(self.colors)[(numbers - 1) % len(self.colors)])


def track_colormap() -> TrackColormap:
    """Return the colours of tracks by their number, for ``Tracks(colormaps_dict=...)``."""
    return TrackColormap(np.array([_rgba(tint) for tint in TINTS]), name="pale tints")


def outline_width(shape: tuple[int, ...]) -> int:
    """Return the width of outlines in pixels: those of a large image must survive its display."""
    return 1 if max(shape[-2:]) < _LARGE_PX else 2


def dim(layer: Any) -> None:
    """Dim a grey image that a stain now lies on."""
    if _colormap_name(layer) == "gray":
        white = _DIMMED_WHITE
        layer.colormap = Colormap([[0, 0, 0, 1], [white, white, white, 1]], name=DIMMED)


def brighten(layer: Any) -> None:
    """Undo :func:`dim`."""
    if _colormap_name(layer) == DIMMED:
        layer.colormap = "gray"


def _colormap_name(layer: Any) -> str | None:
    colormap = getattr(layer, "colormap", None)
    return None if isinstance(colormap, str) else getattr(colormap, "name", None)


def brighten_bare(viewer: Any) -> None:
    """Undo :func:`dim` where nothing lies on the image any more."""
    sources = {provenance_of(layer).get("source") for layer in viewer.layers}
    for layer in viewer.layers:
        if layer.name not in sources:
            brighten(layer)
