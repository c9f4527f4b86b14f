"""Geometry, names and provenance of layers, read and written.

Tracks and Shapes layers default to pixel units and other axis labels, so every layer
of this plugin is made with :func:`geometry_of` of its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.utils.transforms import Affine

from ..._version import __version__
from ...axes import ORDER, USUAL_AXES

# napari and the docks cut long names in the middle: what was done stands first, what it is last
NAMES = {
    "fluorescence": ("stained", "fluorescence"),
    "uncertainty": ("expected error", "uncertainty"),
    "preview": ("preview", "preview"),
    "mitochondria": ("segmented", "mitochondria"),
    "tracks": ("tracked", "tracks"),
    "tracked": ("tracked outlines", "tracked mitochondria"),
    "before": ("before", "before training"),
    "after": ("after", "after training"),
    "regions": ("regions", "regions"),
    "weights": ("weights", "weight map"),
    "aligned": ("aligned", "aligned fluorescence"),
}
PROVENANCE = "virtualstain"
SAMPLING = "virtualstain_sampling"
_ALIASES = {"time": "t", "frame": "t", "channel": "c", "plane": "z", "row": "y", "column": "x"}


def unwrap(thing: Any) -> Any:
    """Return the napari object behind a plugin proxy, or `thing` itself."""
    return getattr(thing, "__wrapped__", thing)


def axes_of(layer: Any) -> str:
    """Return the axes of a layer as letters, for instance ``"tyx"``.

    The layer's axis labels decide where they name axes; otherwise the number of
    dimensions does: a stack of planes is read as time.
    """
    if names_its_axes(layer):
        labels = [str(label).lower() for label in layer.axis_labels]
        return "".join(_ALIASES.get(label, label) for label in labels)
    return USUAL_AXES.get(layer.ndim, ORDER[-layer.ndim :])


def names_its_axes(layer: Any) -> bool:
    """Whether the axis labels of a layer say what its axes are."""
    letters = [_ALIASES.get(str(label).lower(), str(label).lower()) for label in layer.axis_labels]
    return set(letters) <= set(ORDER) and len(set(letters)) == len(letters)


def remember_sampling(layer: Any, **given: float) -> None:
    """Keep a pixel size or a frame interval, which the user has given, with a layer."""
    unwrap(layer).metadata[SAMPLING] = {**layer.metadata.get(SAMPLING, {}), **given}


def hand_on_sampling(source: Any, made: Any) -> None:
    """Let a result know what the user has said about its source."""
    if source is not None and SAMPLING in source.metadata:
        made.metadata[SAMPLING] = dict(source.metadata[SAMPLING])


def sizes_of(layer: Any) -> dict[str, int]:
    """Return the length of each axis of a layer, by its letter."""
    return dict(zip(axes_of(layer), map(int, layer.data.shape), strict=True))


def stack_of(layer: Any, *, pixel_size_um: float) -> Any:
    """Return what the commands call a stack: data, axes, name, and the pixel size as corrected."""
    from ...io import Stack

    return Stack(layer.data, axes_of(layer), pixel_size_um=pixel_size_um, name=layer.name)


def geometry_of(layer: Any) -> dict[str, Any]:
    """Return the keywords that put a new layer of the same axes onto `layer`."""
    return {
        "scale": tuple(float(step) for step in layer.scale),
        "translate": tuple(float(offset) for offset in layer.translate),
        "rotate": np.asarray(layer.rotate),
        "shear": np.asarray(layer.shear),
        "affine": np.asarray(layer.affine.affine_matrix),
        "units": tuple(str(unit) for unit in layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }


def shifted(geometry: dict[str, Any], offset: tuple[int, ...]) -> dict[str, Any]:
    """Return `geometry` of a part of the data that begins at index `offset`."""
    linear = Affine(
        scale=geometry["scale"], rotate=geometry["rotate"], shear=geometry["shear"]
    ).linear_matrix
    moved = np.asarray(geometry["translate"], float) + linear @ np.asarray(offset, float)
    return {**geometry, "translate": tuple(float(value) for value in moved)}


def flat_geometry(geometry: dict[str, Any]) -> dict[str, Any]:
    """Return `geometry` of a single plane: its last two axes."""
    flat = {key: geometry[key][-2:] for key in ("scale", "translate", "units", "axis_labels")}
    return {
        **flat,
        "rotate": np.asarray(geometry["rotate"])[-2:, -2:],
        # the upper triangle of the shear matrix, row by row: (y, x) comes last
        "shear": np.atleast_1d(geometry["shear"])[-1:],
        "affine": np.asarray(geometry["affine"])[-3:, -3:],
    }


@dataclass(frozen=True, slots=True)
class Sampling:
    """Physical sampling of a layer; None where the layer does not say it.

    Attributes
    ----------
    pixel_size_um : float or None
        Micrometres per pixel in x.
    frame_interval_s : float or None
        Seconds per frame.
    """

    pixel_size_um: float | None
    frame_interval_s: float | None


def sampling_of(layer: Any) -> Sampling:
    """Return the pixel size and frame interval that the units of `layer` state.

    What the user gave for the layer counts more; where neither is there, what was given for the
    step that made it.
    """
    axes, given = axes_of(layer), provenance_of(layer).get("settings", {})
    asked = layer.metadata.get(SAMPLING, {})
    interval = _in_unit(layer, axes.index("t"), "second") if "t" in axes else None
    return Sampling(
        asked.get("pixel_size_um")
        or _in_unit(layer, len(axes) - 1, "micrometer")
        or given.get("pixel_size_um"),
        asked.get("frame_interval_s") or interval or given.get("interval"),
    )


def _in_unit(layer: Any, axis: int, unit: str) -> float | None:
    """Return the step along `axis` in `unit`, or None for pixels and other kinds of unit."""
    quantity = layer.units[axis] * float(layer.scale[axis])
    if not quantity.is_compatible_with(unit):
        return None
    return float(quantity.to(unit).magnitude)


def layer_name(source: str, kind: str) -> str:
    """Return the name of a produced layer: what was done, to what, and what it is.

    Examples
    --------
    >>> layer_name("movie", "fluorescence")
    'stained · movie [fluorescence]'
    >>> layer_name("stained · movie [fluorescence]", "mitochondria")
    'segmented · movie [mitochondria]'
    """
    done, what = NAMES[kind]
    return f"{done} · {base_name(source)} [{what}]"


def base_name(name: str) -> str:
    """Return `name` without what :func:`layer_name` adds, in one of its forms.

    Examples
    --------
    >>> base_name("tracked · movie [tracks] [1]"), base_name("movie [tracks]"), base_name("movie")
    ('movie', 'movie', 'movie')
    """
    for done, what in NAMES.values():
        if f" [{what}]" in name:
            return name.partition(f" [{what}]")[0].removeprefix(f"{done} · ")
    return name


def provenance(step: str, source: str, **settings: Any) -> dict[str, Any]:
    """Return the metadata that says how a layer was made."""
    record = {"step": step, "source": source, "version": __version__, **settings}
    return {PROVENANCE: record}


def provenance_of(layer: Any) -> dict[str, Any]:
    """Return what :func:`provenance` stored in `layer`, empty for foreign layers."""
    record = layer.metadata.get(PROVENANCE)
    return record if isinstance(record, dict) else {}


def source_of(viewer: Any, layer: Any) -> Any | None:
    """Return the layer that a result was made from, or None."""
    name = provenance_of(layer).get("source") if layer is not None else None
    return find_layer(viewer, str(name)) if name else None


def find_layer(viewer: Any, name: str) -> Any | None:
    """Return the layer of the viewer called `name`, or None."""
    return next((layer for layer in viewer.layers if layer.name == name), None)


def newest_stain(viewer: Any, source: Any) -> Any | None:
    """Return the newest stain of the layer `source`, the preview where there is no other."""
    made = [
        (record.get("step") == "stain", place)
        for place, layer in enumerate(viewer.layers)
        if (record := provenance_of(layer)).get("step") in ("stain", "preview")
        and record.get("kind") != "uncertainty"
        and base_name(str(record.get("source"))) == base_name(source.name)
    ]
    return unwrap(viewer.layers[max(made)[1]]) if made else None


def uncertainty_of(viewer: Any, layer: Any) -> Any | None:
    """Return the layer of the expected error that was stained with `layer`, or None."""
    fitting = [
        other
        for other in viewer.layers
        if "[uncertainty]" in other.name
        and base_name(other.name) == base_name(layer.name)
        and other.data.shape == layer.data.shape
        and np.allclose(other.translate, layer.translate)
        and _is_of_one_run(other, layer)
    ]
    return fitting[-1] if fitting else None


def _is_of_one_run(*layers: Any) -> bool:
    """Whether layers were stained with one model and the same settings, as far as they say."""
    records = [
        {name: record.get(name) for name in ("sha256", "settings")}
        for layer in layers
        if (record := provenance_of(layer)).get("step") == "stain"
    ]
    return all(record == records[0] for record in records)


def still_there(viewer: Any, layer: Any) -> Any:
    """Return `layer` if it is still in the viewer, else None."""
    return layer if layer is not None and has_layer(viewer, layer) else None


def has_layer(viewer: Any, layer: Any) -> bool:
    """Whether `layer` is still in the viewer."""
    wanted = unwrap(layer)
    return any(unwrap(other) is wanted for other in viewer.layers)
