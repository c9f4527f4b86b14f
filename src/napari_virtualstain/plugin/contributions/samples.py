"""The sample data of the plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...axes import Geometry
from ...errors import InputError
from ..layers.description import provenance
from ..layers.from_stack import LayerTuple, spatial

COMMIT = "0738c87"
FRAMES, SIZE, COUNT, SEED = 20, 256, 25, 0


def simulated_time_lapse() -> list[LayerTuple]:
    """Return bright-field and true fluorescence of one simulated movie; needs no network."""
    from ...simulation import simulate

    scene = simulate(frames=FRAMES, size=SIZE, count=COUNT, seed=SEED)
    return scene_layers(scene)


def scene_layers(scene: Any) -> list[LayerTuple]:
    """Return the layers of a simulated scene: bright-field, hidden truth on top."""
    geometry = spatial(Geometry("tyx", scene.pixel_size_um, scene.frame_interval_s))
    common = {**geometry, "metadata": provenance("simulate", "simulation", seed=SEED)}
    bright = {**common, "name": "simulated bright-field"}
    glow = {
        **common,
        "name": "simulated fluorescence",
        "colormap": "magenta",
        "blending": "additive",
        "visible": False,
    }
    truth = {**common, "name": "simulated truth", "visible": False, "opacity": 0.5}
    return [
        (scene.bright_field, {**bright, "contrast_limits": _limits(scene.bright_field)}, "image"),
        (scene.fluorescence, {**glow, "contrast_limits": _limits(scene.fluorescence)}, "image"),
        (scene.labels, truth, "labels"),
    ]


def _limits(movie: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(movie, [0.1, 99.9])
    return float(low), float(max(high, low + 1))


def h9c2_pairs() -> list[LayerTuple]:
    """Return correlative pairs of an H9c2 cell, downloaded from the paper's repository.

    The cell also trained `mito-h9c2`, so its stain looks better than that of a new cell.

    Raises
    ------
    InputError
        The files cannot be downloaded and are not in the cache.
    """
    from napari.utils.notifications import show_info

    from ...io import open_stack
    from .download import fetch_h9c2_pairs

    folder = fetch_h9c2_pairs()
    show_info(
        "This cell, TL_012, also trained mito-h9c2: its stain looks better than that of a new "
        "cell. The card of the model has the scores of cells that were not seen."
    )
    layers: list[LayerTuple] = []
    for name, colour in (("bright_field", "gray"), ("fluorescence", "magenta")):
        stack = open_stack(Path(folder) / name, pixel_size_um=0.08)
        if stack.data.ndim != 3:
            raise InputError(f"The cached sample in {folder} is incomplete. Remove it, try again.")
        settings = {
            "name": f"H9c2 {name.replace('_', '-')}",
            "colormap": colour,
            "blending": "additive" if colour == "magenta" else "translucent",
            "contrast_limits": (0, 255),
            "metadata": provenance("sample", f"AyushSomani001/VirtualStain_I2I@{COMMIT}"),
            **spatial(Geometry("tyx", 0.08, None)),
        }
        layers.append((stack.data, settings, "image"))
    return layers
