"""Scale bar, time and coloured names on napari's canvas, for as long as pictures are taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from napari.layers import Image

from ..layers.description import axes_of, sampling_of

_FONT_SIZE = 14
_WHITE = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Annotations:
    """Annotations of a figure.

    Attributes
    ----------
    scale_bar, time, names : bool
        Scale bar, time of the frame, and names of the images in their colours.
    """

    scale_bar: bool = True
    time: bool = True
    names: bool = True


@contextmanager
def annotated(viewer: Any, annotations: Annotations) -> Iterator[None]:
    """Show the annotations on the canvas, in white on black boxes; put all back at the end.

    White on black is read on any image, and is the same in napari's dark and light theme.
    """
    former: list[tuple[Any, str, Any]] = []

    def put(overlay: Any, **values: Any) -> None:
        for name, value in values.items():
            former.append((overlay, name, getattr(overlay, name)))
            setattr(overlay, name, value)

    box = {"box": True, "box_color": "black", "font_size": _FONT_SIZE, "visible": True}
    bar, text = overlay_of(viewer, "scale_bar"), overlay_of(viewer, "text")
    try:
        if annotations.scale_bar:
            put(bar, **box, colored=True, color=_WHITE, position="bottom_right")
        if annotations.time and (said := time_text(viewer)):
            put(text, **box, color=_WHITE, text=said, position="top_right")
        for layer in shown_images(viewer) if annotations.names else ():
            if hasattr(layer, "name_overlay"):  # napari 0.7 and newer
                put(layer.name_overlay, **box, color=colour_of(layer), position="top_left")
        yield
    finally:
        for overlay, name, value in reversed(former):
            setattr(overlay, name, value)


def overlay_of(viewer: Any, name: str) -> Any:
    """Return an overlay of the canvas; napari 0.9 has moved them."""
    if hasattr(viewer, "canvas") and hasattr(viewer.canvas, "overlays"):
        return getattr(viewer.canvas.overlays, name)
    return getattr(viewer, {"text": "text_overlay"}.get(name, name))


def shown_images(viewer: Any) -> list[Any]:
    """Return the visible images, from the lowest to the highest."""
    return [layer for layer in viewer.layers if layer.visible and isinstance(layer, Image)]


def colour_of(layer: Any) -> Any:
    """Return the colour of the brightest pixels of an image; a dimmed grey counts as white."""
    red, green, blue = (float(value) for value in layer.colormap.map([1.0])[0][:3])
    is_grey = max(red, green, blue) - min(red, green, blue) < 0.01
    return _WHITE if is_grey else (red, green, blue, 1.0)


def time_text(viewer: Any) -> str:
    """Return the time of the visible frame, its number where no interval is known, or nothing."""
    for layer in shown_images(viewer):
        axes = axes_of(layer)
        if "t" not in axes:
            continue
        place = axes.index("t") + viewer.dims.ndim - layer.ndim
        start, step = float(layer.translate[axes.index("t")]), float(layer.scale[axes.index("t")])
        frame = round((viewer.dims.point[place] - start) / step)
        interval_s = sampling_of(layer).frame_interval_s
        return f"frame {frame}" if not interval_s else clock_text(frame * interval_s)
    return ""


def clock_text(seconds: float) -> str:
    """Return a time as it is written on figures.

    Examples
    --------
    >>> clock_text(2.5), clock_text(90), clock_text(3725)
    ('2.5 s', '01:30 min', '1:02:05 h')
    """
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes:02}:{rest:02} min"
