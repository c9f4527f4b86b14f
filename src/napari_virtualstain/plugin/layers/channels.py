"""Splitting of a layer with channels into one layer a channel, in place and with its axes.

napari's own *Split Stack* always splits the first axis, which is time in a movie, and drops
units and axis labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.notifications import show_info

from .description import axes_of, geometry_of, hand_on_sampling, unwrap
from .from_stack import contrast_limits

SPLIT = "Layers > Data > Split channels"
_COLOURS = ("gray", "magenta", "green", "cyan", "yellow", "red", "blue")


def has_channels(layer: Any) -> bool:
    """Whether a layer is an image with an axis of channels."""
    return (
        type(layer).__name__ == "Image"
        and not layer.rgb
        and not layer.multiscale
        and layer.ndim > 2
        and "c" in axes_of(layer)
    )


def split_channels(viewer: ViewerModel) -> None:
    """Add each channel of the chosen layer, or of the first with channels, as a layer."""
    active = viewer.layers.selection.active
    in_view = [layer for layer in viewer.layers if layer.visible]
    candidates = [unwrap(one) for one in (active, *in_view, *viewer.layers) if one is not None]
    layer = next((one for one in candidates if has_channels(one)), None)
    if layer is None:
        show_info(
            "No layer has channels. Say which axis they are with the axis labels of the layer, "
            "or open the file with the dock Load time-lapse."
        )
        return
    for channel in channels_of(layer):
        viewer.add_layer(channel)
    layer.visible = False


def channels_of(layer: Any) -> list[Image]:
    """Return a layer for each channel, where the whole lies."""
    axis = axes_of(layer).index("c")
    geometry = without_axis(geometry_of(layer), axis)
    made = []
    for index in range(layer.data.shape[axis]):
        data = layer.data[(slice(None),) * axis + (index,)]
        channel = Image(
            data,
            name=f"{layer.name} channel {index}",
            colormap=_COLOURS[index % len(_COLOURS)],
            blending="additive" if index else "translucent_no_depth",
            contrast_limits=contrast_limits(data),
            **geometry,
        )
        hand_on_sampling(layer, channel)
        made.append(channel)
    return made


def without_axis(geometry: dict[str, Any], axis: int) -> dict[str, Any]:
    """Return `geometry` without one of its axes.

    Examples
    --------
    >>> from napari.layers import Image
    >>> layer = Image(np.zeros((2, 3, 4, 5)), scale=(2, 1, 0.1, 0.1), translate=(0, 0, 7, 9))
    >>> without_axis(geometry_of(layer), 1)["translate"]
    (0.0, 7.0, 9.0)
    """
    count = len(geometry["scale"])
    kept = [index for index in range(count) if index != axis]
    shear = np.eye(count)
    shear[np.triu_indices(count, 1)] = np.asarray(geometry["shear"])
    left = {
        name: tuple(geometry[name][index] for index in kept)
        for name in ("scale", "translate", "units", "axis_labels")
    }
    with_last = [*kept, count]
    return {
        **left,
        "rotate": np.asarray(geometry["rotate"])[np.ix_(kept, kept)],
        "shear": shear[np.ix_(kept, kept)][np.triu_indices(count - 1, 1)],
        "affine": np.asarray(geometry["affine"])[np.ix_(with_last, with_last)],
    }
