"""Conversion of a :class:`~napari_virtualstain.io.Stack` to napari layer data, without Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...axes import Geometry
from .description import provenance

if TYPE_CHECKING:
    from ...io import Stack

LayerTuple = tuple[Any, dict[str, Any], str]


def spatial(geometry: Geometry) -> dict[str, Any]:
    """Return the scale, units and axis labels of `geometry` as layer keywords."""
    return {
        "scale": geometry.scale,
        "units": geometry.units,
        "axis_labels": tuple(geometry.axes),
    }


def contrast_limits(data: Any) -> tuple[float, float]:
    """Return display limits from the middle plane of lazy `data`; reads that plane only.

    napari would read more of a lazy array to find them, in the GUI thread.
    """
    plane = data[tuple(size // 2 for size in data.shape[:-2])]
    values = np.asarray(plane, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, [0.1, 99.9])
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def role_of(channel_name: str) -> str:
    """Return ``bright_field``, ``fluorescence`` or ``""`` from the name of a channel.

    Examples
    --------
    >>> role_of("BF"), role_of("mCherry"), role_of("channel 1")
    ('bright_field', 'fluorescence', '')
    """
    name = channel_name.lower()
    bright = ("bright", "trans", "phase", "dic", "pol", "tl ")
    glowing = ("fluo", "gfp", "cherry", "rfp", "yfp", "cfp", "fitc", "tritc", "dapi", "cy", "mito")
    if name in ("bf", "tl", "t") or any(word in name for word in bright):
        return "bright_field"
    return "fluorescence" if any(word in name for word in glowing) else ""


def stack_to_layers(stack: Stack) -> list[LayerTuple]:
    """Return one lazy image layer for each channel of `stack`.

    Parameters
    ----------
    stack : Stack
        What :func:`napari_virtualstain.open_stack` returned.

    Returns
    -------
    list of (data, keywords, "image")
        The first channel last in the list would lie on top; fluorescence is added
        blended over bright-field.
    """
    if "c" not in stack.axes:
        return [_image(stack, stack.name or "time-lapse")]
    count = stack.data.shape[stack.axes.index("c")]
    names = list(stack.channel_names) or [""] * count
    layers = []
    for index in range(count):
        label = names[index] or f"channel {index}"
        layers.append(_image(stack.select_channel(index), f"{stack.name} {label}".strip(), label))
    return layers


def _image(stack: Stack, name: str, channel: str = "") -> LayerTuple:
    role = role_of(channel)
    optics = stack.optics.as_record()
    known: dict[str, Any] = {"optics": optics} if optics else {}
    if stack.notes:  # a file that is dropped has no dock that would say it
        known["notes"] = list(stack.notes)
    settings: dict[str, Any] = {
        "name": name,
        "contrast_limits": contrast_limits(stack.data),
        "metadata": provenance("load", str(stack.source or ""), role=role, **known),
        **spatial(stack.geometry),
    }
    if role == "fluorescence":
        # against the green of the virtual one: the pair that colour-blind eyes tell apart
        settings |= {"colormap": "magenta", "blending": "additive"}
    return stack.data, settings, "image"
