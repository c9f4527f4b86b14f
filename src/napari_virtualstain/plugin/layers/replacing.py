"""A new result in the layer of the former one, and the mark of results that were not finished.

Running a step again shows its result in the same layer, unless the user wants to keep both, has
painted on the labels or has edited the tracks. The former result is held until the new one is
finished: after a cancel it is put back, and what was finished gets a layer of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from napari.layers import Image, Tracks

from .description import PROVENANCE, base_name, provenance_of, still_there, unwrap

_KEPT_BY = ("painted", "unfinished")
_JUDGED_IN = ("verdicts", "link_verdicts", "sample")  # empty where tracks were only looked at


@dataclass(frozen=True, slots=True)
class Former:
    """Former contents of a layer, before a new result replaced them.

    Attributes
    ----------
    layer : napari layer
        The layer of both.
    content : dict
        Attributes of the layer and their former values, in the order of assignment.
    """

    layer: Any
    content: dict[str, Any]

    def put_back(self) -> None:
        """Show the former result again."""
        _assign(self.layer, self.content)


def content_of(layer: Any) -> dict[str, Any]:
    """Return what tells one result from another of the same kind and place."""
    if isinstance(layer, Tracks):
        names = ["data", "features", "graph", "tail_length", "metadata"]
    elif isinstance(layer, Image):
        names = ["data", "contrast_limits", "metadata"]
    else:
        names = ["data", "metadata"]
    content = {name: getattr(layer, name) for name in names}
    # a layer empties its own dictionary when it is given another
    return content | {"metadata": dict(content["metadata"])}


def take_over(viewer: Any, made: Any) -> Former | None:
    """Put the content of a new layer into that of the former result, if there is one.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are looked through.
    made : napari layer
        Not in the viewer yet.

    Returns
    -------
    Former or None
        The layer that is now shown in place of `made`, with its former content.
    """
    layer = _replaceable(viewer, made)
    if layer is None:
        return None
    former = Former(layer, content_of(layer))
    _assign(layer, content_of(made))
    return former


def fingerprint(data: Any) -> str:
    """Return a checksum of the rows of tracks, by which edits are noticed."""
    return sha256(np.ascontiguousarray(data, dtype=np.float64).tobytes()).hexdigest()


def mark_painted(event: Any) -> None:
    """Note that labels were corrected by hand: they are not replaced any more."""
    if PROVENANCE in event.source.metadata:
        event.source.metadata[PROVENANCE]["painted"] = True


def settle_unfinished(viewer: Any, layer: Any, former: Former | None, done: int, of: int) -> None:
    """Name a layer that was not finished as such; put the former result back in its place.

    Of a layer in which no frame is finished nothing is kept.

    Parameters
    ----------
    viewer : napari.Viewer
        Where both are shown.
    layer : napari layer
        Partly filled.
    former : Former or None
        What it held before.
    done, of : int
        Frames that are finished, and all.
    """
    if still_there(viewer, layer) is None or done >= of:
        return
    partly = unwrap(layer)
    if not done:
        if former is not None:
            former.put_back()
        else:
            viewer.layers.remove(partly)
        return
    if former is not None:
        partly = _copy(partly)
        former.put_back()
        partly.visible = False
        viewer.add_layer(partly)
    partly.name = f"{partly.name} ({done} of {of} frames)"
    partly.metadata[PROVENANCE]["unfinished"] = f"{done} of {of} frames"


def _copy(layer: Any) -> Any:
    """Return a layer of the same data and looks."""
    data, settings, kind = layer.as_layer_data_tuple()
    settings = {name: value for name, value in settings.items() if name != "features"}
    return type(layer).create(data, settings, kind)


def _assign(layer: Any, content: dict[str, Any]) -> None:
    if isinstance(layer, Tracks):
        _assign_tracks(layer, content)
        return
    for name, value in content.items():
        setattr(layer, name, value)


def _assign_tracks(layer: Any, content: dict[str, Any]) -> None:
    # napari warns when the feature that colours is away even for a moment
    colour, layer.color_by = layer.color_by, "track_id"
    for name in ("data", "features", "graph", "tail_length", "metadata"):
        setattr(layer, name, content[name])
    layer.color_by = colour


def _replaceable(viewer: Any, made: Any) -> Any:
    """Return the newest layer that the result `made` may be shown in, or None."""
    fitting = [
        layer
        for layer in map(unwrap, viewer.layers)
        if type(layer) is type(made)
        and _made_by(layer) == _made_by(made)
        and not any(provenance_of(layer).get(reason) for reason in _KEPT_BY)
        and (_is_as_tracked(layer) if isinstance(made, Tracks) else _has_place_of(layer, made))
    ]
    return fitting[-1] if fitting else None


def _made_by(layer: Any) -> tuple[Any, ...]:
    record = provenance_of(layer)
    return record.get("step"), record.get("kind"), base_name(str(record.get("source")))


def _has_place_of(layer: Any, other: Any) -> bool:
    return layer.data.shape == other.data.shape and all(
        np.allclose(getattr(layer, name), getattr(other, name)) for name in ("scale", "translate")
    )


def _is_as_tracked(layer: Any) -> bool:
    """Whether nobody has edited or judged the tracks."""
    is_judged = any(layer.metadata.get(name) for name in _JUDGED_IN)
    return not is_judged and provenance_of(layer).get("rows") == fingerprint(layer.data)
