"""Repeatable settings of a movie, read back from its layers."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...settings import SegmentSettings, Settings, StainSettings
from ..layers.description import axes_of, base_name, find_layer, provenance_of, sampling_of
from .pipeline_form import model_name

STEPS = ("stain", "segment", "track")


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
        Nothing was stained yet, or only a box of the frames.
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
            **_named(made["stain"], StainSettings),
            "model": model_name(made["stain"]["model"]),
            "frames": _frames(made["stain"], find_layer(viewer, base_name(layer.name))),
        },
    }
    if "segment" in made:
        segment = made["segment"]
        given["segment"] = {
            **_named(segment, SegmentSettings),
            "model": model_name(segment["model"]),
        }
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


def _named(record: dict[str, Any], settings: type[Settings]) -> dict[str, Any]:
    """Return what of a layer's record is a setting."""
    return {name: record[name] for name in settings.model_fields if name in record}
