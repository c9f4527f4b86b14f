"""The sample data of the plugin."""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import QTimer

from ...axes import Geometry
from ...errors import InputError
from ..layers.colours import TRUE_COLORMAP, label_colormap
from ..layers.description import provenance
from ..layers.from_stack import LayerTuple, spatial

COMMIT = "0738c87"
# docs/evidence/models.md: mito-h9c2 trained without this cell, in brackets the bright-field
HONEST_SCORE = "Pearson 0.61 (0.42), band-pass Pearson 0.23 (0.03), in brackets its bright-field"
SCENE = {"frames": 20, "size": 256, "count": 25, "seed": 0}
# made by recipes/simulated_sample.py
SAMPLE = Path(__file__).parent / "simulated_sample.npz"


def simulated_time_lapse() -> list[LayerTuple]:
    """Return bright-field and true fluorescence of one simulated movie; needs no network.

    Raises
    ------
    InputError
        The file of the sample is missing or damaged.
    """
    try:
        with np.load(SAMPLE, allow_pickle=False) as stored:
            scene = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise InputError(f"The sample {SAMPLE.name} cannot be read: install it again.") from error
    geometry = Geometry("tyx", float(scene["pixel_size_um"]), float(scene["frame_interval_s"]))
    common = {
        **spatial(geometry),
        "metadata": provenance("simulate", "simulation", seed=SCENE["seed"]),
    }
    bright = {**common, "name": "simulated bright-field"}
    glow = {
        **common,
        "name": "simulated fluorescence",
        "colormap": TRUE_COLORMAP,
        "blending": "additive",
        "visible": False,
    }
    truth = {
        **common,
        "name": "simulated truth",
        "visible": False,
        "colormap": label_colormap(),
    }
    images = [
        (scene[name], {**settings, "contrast_limits": _limits(scene[name])}, "image")
        for name, settings in (("bright_field", bright), ("fluorescence", glow))
    ]
    _choose_visible_soon()
    # of wider numbers, napari compiles a conversion before it draws them: 0.3 s
    return [*images, (scene["labels"].astype(np.uint16), truth, "labels")]


def _choose_visible_soon() -> None:
    """Make the visible movie the active layer, once napari has added the layers of the sample.

    napari makes the last layer that it adds the active one: here the hidden truth.
    """
    viewer = napari.current_viewer()
    if viewer is None:
        return

    def choose() -> None:
        active = viewer.layers.selection.active
        shown = [layer for layer in viewer.layers if layer.visible]
        if shown and active is not None and not active.visible:
            viewer.layers.selection.active = shown[-1]

    QTimer.singleShot(0, choose)


def _limits(movie: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(movie, [0.1, 99.9])
    return float(low), float(high)


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
        f"cell. A model that had not seen it: {HONEST_SCORE}."
    )
    layers: list[LayerTuple] = []
    for name, colour in (("bright_field", "gray"), ("fluorescence", TRUE_COLORMAP)):
        # the names count time, plane and crop; each file is a view of its own
        stack = open_stack(Path(folder) / name, axes="tyx", pixel_size_um=0.08)
        if stack.data.ndim != 3:
            raise InputError(f"The cached sample in {folder} is incomplete. Remove it, try again.")
        settings = {
            "name": f"H9c2 {name.replace('_', '-')}",
            "colormap": colour,
            "blending": "additive" if colour == TRUE_COLORMAP else "translucent",
            "contrast_limits": (0, 255),
            "metadata": provenance(
                "sample",
                f"AyushSomani001/VirtualStain_I2I@{COMMIT}",
                also_trained={"mito-h9c2": HONEST_SCORE},
            ),
            **spatial(Geometry("tyx", 0.08, None)),
        }
        layers.append((stack.data, settings, "image"))
    return layers
