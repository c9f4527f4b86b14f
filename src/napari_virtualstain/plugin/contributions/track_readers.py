"""Readers of tracks: own CSV with its events, TrackMate XML, GEFF, Cell Tracking Challenge."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ..kit.dock_place import can_open_docks, open_dock
from ..layers.description import provenance, provenance_of

if TYPE_CHECKING:
    from ...tracking import Tracks

LayerTuple = tuple[Any, dict[str, Any], str]
_CTC_TABLES = ("res_track.txt", "man_track.txt")
_HEADER_BYTES = 4096


def get_track_reader(path: str | list[str]) -> Callable[[Any], list[LayerTuple]] | None:
    """Return the reader if `path` holds tracks, or None.

    A CSV without tracks is left to napari's own reader, so that a user who always opens CSV files
    with this plugin still gets points and shapes.
    """
    paths = [path] if isinstance(path, str) else list(path)
    if not paths:
        return None
    if all(format_of(Path(one)) for one in paths):
        return read_tracks
    if all(Path(one).suffix.lower() == ".csv" for one in paths):
        return _reader_of_napari(path)
    return None


def _reader_of_napari(path: str | list[str]) -> Callable[[Any], list[LayerTuple]] | None:
    try:
        from napari_builtins.io import napari_get_reader  # type: ignore[import-untyped]
    except ImportError:
        return None
    reader: Callable[[Any], list[LayerTuple]] = napari_get_reader(path)

    def read(asked: str | list[str]) -> list[LayerTuple]:
        try:
            layers = reader(asked)
        except StopIteration:  # napari's answer to an empty file
            layers = []
        if not layers:
            raise InputError(_no_tracks_text(Path(asked if isinstance(asked, str) else asked[0])))
        return layers

    return read


def _no_tracks_text(path: Path) -> str:
    """Return what a table without tracks lacks, and what to do about it."""
    names = _columns_in(_head(path))
    if not any(names):
        return f"{path.name} is empty. Copy it again from its source."
    advice = "Rename its columns, or export the tracks in another format."
    if {"TRACK_ID", "POSITION_X"} <= set(names):
        advice = "Save the tracks of TrackMate as XML (button Save), and open that file."
    return (
        f"{path.name} is no table of tracks: expected the columns track_id, frame, y_um, x_um, but "
        f"it has {', '.join(names)[:80]}. {advice}"
    )


def format_of(path: Path) -> str | None:
    """Return in which format a file or folder holds tracks, None for no tracks.

    Only names and the first bytes are looked at: other programs also write CSV and XML.
    """
    if path.is_dir():
        if any((path / name).exists() for name in _CTC_TABLES):
            return "ctc"
        return "geff" if path.suffix.lower() == ".geff" else None
    head = _head(path)
    if path.suffix.lower() == ".csv":
        names = set(_columns_in(head))
        if {"kind", "frame", "parents", "children"} <= names:
            return "events"
        if {"track_id", "verdict"} <= names and "frame" not in names:
            return "verdicts"
        return "csv" if {"track_id", "frame"} <= names else None
    return "trackmate" if path.suffix.lower() == ".xml" and "<TrackMate" in head else None


def _head(path: Path) -> str:
    """Return the first characters of a file, none where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEADER_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _columns_in(head: str) -> list[str]:
    """Return the names in the first line of a table."""
    return [name.strip().strip('"') for name in re.split("[,;\t]", head.partition("\n")[0])]


def read_tracks(path: str | list[str]) -> list[LayerTuple]:
    """Return a Tracks layer for each file in `path`, and the labels of CTC folders."""
    paths = [path] if isinstance(path, str) else list(path)
    return [layer for one in paths for layer in _read(Path(one))]


def tracks_layer(tracks: Tracks, name: str, source: str) -> LayerTuple:
    """Return tracks as napari layer data, in pixels with their scale.

    Parameters
    ----------
    tracks : Tracks
        To be shown.
    name, source : str
        Name of the layer, and where the tracks come from.
    """
    data, properties, graph = tracks.to_napari()
    axes, scale = "tyx", [tracks.frame_interval_s, *[tracks.pixel_size_um] * 2]
    if "z_px" in tracks.table:
        data = np.insert(data, 2, tracks.table["z_px"].to_numpy(float), axis=1)
        axes, scale = "tzyx", [scale[0], 1.0, *scale[1:]]
    # files say 1 where nobody knew better
    knows = {"t": scale[0] != 1.0, "z": False, "y": scale[-1] != 1.0, "x": scale[-1] != 1.0}
    kind = {"t": "s", "z": "pixel", "y": "um", "x": "um"}
    properties = {"track_id": tracks.table["track_id"].to_numpy(), **properties}
    settings: dict[str, Any] = {
        "name": name,
        "features": properties,
        "graph": graph,
        "scale": scale,
        "units": [kind[axis] if knows[axis] else "pixel" for axis in axes],
        "axis_labels": tuple(axes),
        "tail_width": 3,
        "metadata": {**provenance("open", source), "tracks": tracks},
    }
    if "verdict" in tracks.table:
        said = tracks.table[["track_id", "verdict"]].dropna()
        said = said[said["verdict"] != ""].drop_duplicates("track_id")
        settings["metadata"]["verdicts"] = {
            int(track): str(verdict) for track, verdict in said.itertuples(index=False)
        }
    if "link_verdict" in tracks.table:
        said = tracks.table[["track_id", "frame", "link_verdict"]].dropna()
        settings["metadata"]["link_verdicts"] = {
            (int(track), int(frame)): str(verdict)
            for track, frame, verdict in said[said["link_verdict"] != ""].itertuples(index=False)
        }
    return data, settings, "tracks"


def _read(path: Path) -> list[LayerTuple]:
    from ...tracking import Tracks

    kind = format_of(path)
    if kind == "events":
        return _tracks_of_events(path)
    if kind == "verdicts":
        return _verdicts(path)
    if kind == "ctc":
        tracks = Tracks.from_ctc(path)
        return [_labels(path), tracks_layer(tracks, f"{path.name} [tracks]", str(path))]
    read = {"csv": Tracks.from_csv, "trackmate": Tracks.from_trackmate, "geff": Tracks.from_geff}
    tracks = read[str(kind)](path)
    if not len(tracks):
        raise InputError(f"{path.name} holds no track: a table of tracks without a row.")
    return [tracks_layer(tracks, f"{path.stem} [tracks]", str(path))]


def _tracks_of_events(path: Path) -> list[Any]:
    """Return the tracks beside a table of events, or no layer where they are open already."""
    import napari

    stem = path.stem.removesuffix("events").rstrip(".") or "tracks"
    tracks = path.with_name(f"{stem}.csv")
    if not tracks.exists():
        raise InputError(
            f"{path.name} holds the events of {tracks.name}, which is not beside it. Put both into "
            "one folder, and open the tracks."
        )
    viewer = napari.current_viewer()
    layers = [] if viewer is None else list(viewer.layers)
    if any(provenance_of(layer).get("source") == str(tracks) for layer in layers):
        return [(None,)]
    return _read(tracks)


def _verdicts(path: Path) -> list[Any]:
    """Give the tracks that the inspector lists the verdicts of a table; there is no layer."""
    import napari

    viewer = napari.current_viewer()
    if not can_open_docks(viewer):
        raise InputError(
            f"{path.name} holds verdicts and no tracks. Open their tracks, then this table with "
            "Save… > Open tracks… of the Track inspector."
        )
    open_dock(viewer, "Track inspector").keeping.when_listed(path)
    return [(None,)]


def _labels(path: Path) -> LayerTuple:
    """Return the masks of a CTC folder."""
    import tifffile

    files = sorted(one for one in path.glob("*.tif") if one.stem.startswith(("mask", "man_track")))
    stack = np.stack([np.asarray(tifffile.imread(one)) for one in files]).astype(np.int32)
    settings = {"name": f"{path.name} [mitochondria]", "metadata": provenance("open", str(path))}
    return stack, settings, "labels"
