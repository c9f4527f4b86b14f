"""Proposal of the two layers that are bright-field and true fluorescence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any
from weakref import WeakKeyDictionary

from ...data import plane_at
from ..kit.layer_choice import rank
from ..kit.suitable_layers import is_movie
from ..layers.description import provenance_of, unwrap

_GLOWING = (
    "green",
    "magenta",
    "red",
    "cyan",
    "blue",
    "yellow",
    "bop orange",
    "bop purple",
    "inferno",
)
_MADE = ("stain", "preview", "train")
_GLOW_WORDS = re.compile(r"cherry|gfp|rfp|yfp|tmrm|tmre|mitotracker|omp\d|488|561|568|594|640|647")
_SKEWED = 1.0
_LOOKED_AT_PX = 512
_SKEWNESSES: WeakKeyDictionary[Any, tuple[int, float]] = WeakKeyDictionary()


def propose_pair(viewer: Any, without: Sequence[Any] = ()) -> tuple[Any, Any]:
    """Return the layers to propose as bright-field and fluorescence; None where none fits.

    What the file says decides, then the name, the colormap, and at last the pixels: most of a
    fluorescence image is dark. A layer that glows is never proposed as bright-field.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are looked through.
    without : sequence of layers
        Those that are in use already.
    """
    layers = [unwrap(layer) for layer in viewer.layers]
    layers = [
        layer
        for layer in layers
        if is_movie(layer)
        and provenance_of(layer).get("step") not in _MADE
        and not any(layer is used for used in without)
    ]
    signs = {id(layer): stated_sign(layer) for layer in layers}
    glowing = [layer for layer in layers if signs[id(layer)] > 0]
    plain = [layer for layer in layers if signs[id(layer)] <= 0]
    if not glowing:
        silent = [layer for layer in plain if signs[id(layer)] == 0]
        brightest = max(silent, key=skewness_of, default=None)
        if brightest is not None and skewness_of(brightest) > _SKEWED:
            glowing, plain = [brightest], [layer for layer in plain if layer is not brightest]
    active = unwrap(viewer.layers.selection.active)
    first = max(
        plain, key=lambda layer: _order(layer, "bright_field", layers, active), default=None
    )
    second = max(
        glowing,
        key=lambda layer: (_kinship(first, layer, layers), _order(layer, "", layers, active)),
        default=None,
    )
    return first, second


def stated_sign(layer: Any) -> int:
    """Return 1 for a layer that is said to show fluorescence, -1 for bright-field, 0 if open."""
    role = str(provenance_of(layer).get("role", ""))
    if role:
        return 1 if role == "fluorescence" else -1
    bright = rank(layer.name, "bright_field", active=False, position=0)[0]
    glow = rank(layer.name, "true_fluorescence", active=False, position=0)[0]
    if bright > 0 or glow > 0:
        return -1 if bright > glow else 1
    if _GLOW_WORDS.search(layer.name.lower()) or str(layer.colormap.name) in _GLOWING:
        return 1
    return 0


def skewness_of(layer: Any) -> float:
    """Return how much more bright than dark structures the middle of a layer has.

    Each layer is looked at once: the docks ask whenever a layer comes or goes, in the GUI thread.
    """
    from ...data import fine_skewness

    known = _SKEWNESSES.get(layer)
    if known is None or known[0] != id(layer.data):
        plane = plane_at(layer.data, [n // 2 for n in layer.data.shape[:-2]])
        middle = tuple(
            slice(max(0, (size - _LOOKED_AT_PX) // 2), (size + _LOOKED_AT_PX) // 2)
            for size in plane.shape
        )
        known = _SKEWNESSES[layer] = (id(layer.data), fine_skewness(plane[middle]))
    return known[1]


def _order(layer: Any, role: str, layers: list[Any], active: Any) -> tuple[int, int, int]:
    # of layers as good the first, so that rows follow the order of the list
    place = -next(i for i, other in enumerate(layers) if other is layer)
    return rank(layer.name, role, active=layer is active, position=place)


def _kinship(first: Any, layer: Any, layers: list[Any]) -> tuple[int, int, int]:
    """Return how well a layer goes with the bright-field: its size, its name, its place."""
    if first is None:
        return (0, 0, 0)
    places = [next(i for i, other in enumerate(layers) if other is one) for one in (first, layer)]
    same_size = first.data.shape[-2:] == layer.data.shape[-2:]
    both = zip(first.name.lower(), layer.name.lower(), strict=False)
    common = sum(1 for _ in takewhile(lambda letters: letters[0] == letters[1], both))
    return (int(same_size), common, -abs(places[0] - places[1]))
