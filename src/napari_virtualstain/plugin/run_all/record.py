"""Repeatable settings of a movie, read back from its layers."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...hooks import add_on_name
from ..layers.description import axes_of, base_name, find_layer, provenance_of, sampling_of

STEPS = ("stain", "segment", "track")
_SEGMENT = ("threshold", "min_area_um2", "split", "width_um", "average")


def recorded_settings(viewer: Any, layer: Any) -> Any:
    """Return the settings with which the newest results of a source were made.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are looked through.
    layer : layer
        The source, or any result of it.

    Returns
    -------
    PipelineSettings
        Repeats these steps with ``virtualstain run --config``.

    Raises
    ------
    InputError
        Nothing was stained yet, or only a box of the frames, or it was segmented with an
        add-on, which the command does not know.
    """
    from ...pipeline import PipelineSettings, merged_settings

    made = _newest(viewer, base_name(layer.name))
    if "stain" not in made:
        raise InputError(
            f"Nothing was stained from {base_name(layer.name)!r} yet. Stain it first, or press "
            "Run all; then save the settings."
        )
    stated = sampling_of(layer)
    given: dict[str, dict[str, Any]] = {
        "read": {
            "pixel_size_um": made["stain"].get("pixel_size_um") or stated.pixel_size_um,
            "frame_interval_s": made.get("track", {}).get("interval") or stated.frame_interval_s,
        },
        "stain": {
            "model": _name(made["stain"]["model"], may_be_add_on=True),
            "temporal": made["stain"].get("temporal", 0),
            "uncertainty": made["stain"].get("uncertainty"),
            "average": made["stain"].get("average"),
            "frames": _frames(made["stain"], find_layer(viewer, base_name(layer.name))),
        },
    }
    if "segment" in made:
        segment = made["segment"]
        given["segment"] = {name: segment[name] for name in _SEGMENT if name in segment}
        given["segment"]["model"] = _name(segment["model"])
    if "track" in made:
        given["track"] = dict(made["track"].get("config", {}))
    return merged_settings(PipelineSettings(), given)


def _newest(viewer: Any, base: str) -> dict[str, dict[str, Any]]:
    """Return the settings of each step's newest layer of the source called `base`."""
    made: dict[str, dict[str, Any]] = {}
    for layer in viewer.layers:
        record = provenance_of(layer)
        if record.get("step") in STEPS and base_name(str(record.get("source", ""))) == base:
            made[record["step"]] = record.get("settings", {})
    return made


def _frames(stain: dict[str, Any], source: Any) -> str | None:
    """Return the range of frames that was stained, None for the whole movie."""
    if source is None or "shape" not in stain:
        return None
    axes, whole, shape = axes_of(source), source.data.shape, stain["shape"]
    part = {
        axis: (start, start + size)
        for axis, start, size, all_there in zip(axes, stain["offset"], shape, whole, strict=True)
        if size != all_there
    }
    if part.keys() - {"t"}:
        raise InputError(
            f"Only a part of each frame of {source.name!r} was stained, which a settings file "
            "cannot repeat. Stain whole frames, or press Run all; then save the settings."
        )
    return "{}:{}".format(*part["t"]) if part else None


def _name(model: str, *, may_be_add_on: bool = False) -> str:
    """Return the name of a shipped or listed model, or its path if it is neither."""
    from ...models import list_models

    if (added := add_on_name(model)) is not None and not may_be_add_on:
        raise InputError(
            f"{added!r} is an add-on of another package, which a settings "
            "file cannot name. Choose a model file, or repeat the step in napari."
        )
    names = {str(entry.path): entry.name for entry in list_models()}
    return names.get(model, model)
