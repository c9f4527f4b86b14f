"""The writers that save a Tracks layer: CSV, TrackMate XML, GEFF, Cell Tracking Challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from ...tracking import Tracks

_POSITIONS = ["track_id", "frame", "z_px", "y_px", "x_px"]
_TEXTS = ("reason", "fragments")
_VERDICTS, _LINKS = "verdicts", "link_verdicts"


def write_csv(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Tracks layer as CSV with its verdicts, and its events beside it.

    Parameters
    ----------
    path : str
        File to write; napari has asked before overwriting.
    data : ndarray, shape (N, 4) or (N, 5)
        Columns track_id, t, (z,) y, x in pixels.
    attributes : dict
        The layer's attributes; scale, graph, features and metadata are used.

    Returns
    -------
    list of str
        The paths written.
    """
    return [str(_judged_tracks(data, attributes).to_csv(path, overwrite=True))]


def write_trackmate(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Tracks layer as TrackMate XML; see :func:`write_csv`."""
    return [str(_judged_tracks(data, attributes).to_trackmate(path, overwrite=True))]


def write_geff(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Tracks layer as a GEFF folder; see :func:`write_csv`."""
    return [str(_judged_tracks(data, attributes).to_geff(path, overwrite=True))]


def write_ctc(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Tracks layer as a folder of the Cell Tracking Challenge; see :func:`write_csv`.

    The format has masks, frames and parents only; what is lost is said.
    """
    lost = [what for what in (_VERDICTS, _LINKS) if _kept(attributes, what)]
    _say_lost("Cell Tracking Challenge", [*lost, "quality", "probabilities of events"])
    return [str(tracks_of(data, attributes).to_ctc(path, overwrite=True))]


def _judged_tracks(data: Any, attributes: dict[str, Any]) -> Tracks:
    """Return the tracks with the verdict of each track, and of the link to each row."""
    tracks = tracks_of(data, attributes)
    if verdicts := _kept(attributes, _VERDICTS):
        given = tracks.table["track_id"].map({int(k): str(v) for k, v in verdicts.items()})
        tracks.table["verdict"] = given.fillna("").astype(object)
    if links := _kept(attributes, _LINKS):
        places = zip(tracks.table["track_id"], tracks.table["frame"], strict=True)
        said = [links.get((int(track), int(frame)), "") for track, frame in places]
        tracks.table["link_verdict"] = np.array(said, object)
    return tracks


def _kept(attributes: dict[str, Any], what: str) -> dict[Any, str]:
    found: dict[Any, str] = (attributes.get("metadata") or {}).get(what) or {}
    return found


def _say_lost(kind: str, lost: list[str]) -> None:
    from napari.utils.notifications import show_info

    names = ", ".join(one.replace("_", " ") for one in lost)
    show_info(f"A {kind} holds no {names}: a session of the track inspector keeps everything.")


def tracks_of(data: Any, attributes: dict[str, Any]) -> Tracks:
    """Return what a Tracks layer holds as the core's tracks.

    Where the layer does not say its units, a pixel counts as a micrometre and a frame as a
    second, which the readers take back as unknown.
    """
    from ...tracking import Tracks

    rows = np.asarray(data, float)
    names = [name for name in _POSITIONS if rows.shape[1] == 5 or name != "z_px"]
    table = pd.DataFrame(rows, columns=names).astype({"track_id": int, "frame": int})
    size_um, interval_s = _sampling(attributes)
    table["y_um"], table["x_um"] = table["y_px"] * size_um, table["x_px"] * size_um
    features = pd.DataFrame(attributes.get("features", {}))
    core = (attributes.get("metadata") or {}).get("tracks")
    for source in (features, core.table if core is not None else features):
        if len(source) != len(table) or not _same_rows(source, table):
            continue
        for name in source.columns:
            if name not in table and (name in _TEXTS or source[name].dtype.kind in "biuf"):
                table[name] = source[name].to_numpy()
    graph = attributes.get("graph") or {}
    parents = {int(child): [int(p) for p in np.atleast_1d(of)] for child, of in graph.items()}
    events = core.events if core is not None and len(core.events) else None
    return Tracks.from_table(
        table.drop(columns="parent", errors="ignore"),
        parents,
        events,
        pixel_size_um=size_um,
        frame_interval_s=interval_s,
    )


def _same_rows(source: pd.DataFrame, table: pd.DataFrame) -> bool:
    return "track_id" not in source or np.array_equal(source["track_id"], table["track_id"])


def _sampling(attributes: dict[str, Any]) -> tuple[float, float]:
    """Return micrometres per pixel and seconds per frame, 1 where they are unknown."""
    scale = np.asarray(attributes.get("scale", (1.0, 1.0, 1.0)), float)
    units = attributes.get("units") or ("pixel",) * len(scale)
    core = (attributes.get("metadata") or {}).get("tracks")
    found = []
    for axis, unit, name in ((-1, "micrometer", "pixel_size_um"), (0, "s", "frame_interval_s")):
        value = _in(units[axis], unit)
        known = float(getattr(core, name, 1.0))
        found.append(known if value is None else float(scale[axis]) * value)
    return found[0], found[1]


def _in(given: Any, wanted: str) -> float | None:
    """Return how many of a unit another one is, None for pixels and unlike kinds."""
    import pint

    registry: Any = pint.application_registry  # that of napari's layers
    quantity = registry.Quantity(1.0, str(given))
    return float(quantity.to(wanted).magnitude) if quantity.is_compatible_with(wanted) else None
