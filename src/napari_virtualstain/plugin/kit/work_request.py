"""Requests of steps that work plane by plane, as gathered by the docks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..layers.description import axes_of
from .layer_region import LayerRegion, visible_index
from .preferences import Preferences, preferences


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """Everything that the thread needs, copied from the dock in the GUI thread.

    Attributes
    ----------
    data : array (…, Y, X)
        The source layer's data, lazy or not.
    axes : str
        Its axes.
    region : LayerRegion
        The part to work on.
    centre : tuple of int
        The visible plane, as an index into the leading axes of `data`.
    model : str
        Name or path, or an add-on's name behind ``addon:``.
    pixel_size_um : float or None
        Of the data.
    device : str or None
        None lets the engine choose.
    preferences : Preferences
        Where large results go, and how many threads may be used.
    """

    data: Any
    axes: str
    region: LayerRegion
    centre: tuple[int, ...]
    model: str
    pixel_size_um: float | None
    device: str | None
    preferences: Preferences


def work_fields(
    viewer: Any,
    layer: Any,
    region: LayerRegion,
    *,
    model: Any,
    pixel_size_um: float,
    device: str | None = None,
) -> dict[str, Any]:
    """Return the fields of a :class:`WorkRequest` on `layer`.

    Parameters
    ----------
    viewer : napari.Viewer
        Says which plane is visible.
    layer : napari layer
        The source.
    region : LayerRegion
        The part of it to work on.
    model : str
        See :class:`WorkRequest`.
    pixel_size_um : float
        As the dock's field says.
    device : str or None
        Choice of the dock; None takes that of the preferences.
    """
    chosen = preferences()
    wanted = device or chosen.device
    return {
        "data": layer.data,
        "axes": axes_of(layer),
        "region": region,
        "centre": visible_index(viewer, layer),
        "model": str(model),
        "pixel_size_um": pixel_size_um,
        "device": None if wanted == "auto" else wanted,
        "preferences": chosen,
    }


def dock_fields(dock: Any, layer: Any, region: LayerRegion) -> dict[str, Any]:
    """Return the fields of a :class:`WorkRequest` as a dock with these controls asks for them.

    Parameters
    ----------
    dock : StepWidget
        With the controls `model`, `pixel_size` and `device`.
    layer, region : napari layer and LayerRegion
        The source, and the part of it to work on.
    """
    return work_fields(
        dock.viewer,
        layer,
        region,
        model=dock.model.value,
        pixel_size_um=dock.pixel_size.value(),
        device=dock.device.value,
    )
