"""Tracks as TrackMate XML, which Fiji opens and which comes back exactly.

Spots hold positions and our own columns as features; edges join the spots of a track,
and those of parents to those of children. TrackMate calls everything that hangs together
one track; our identities are kept in the spot feature ``VS_TRACK_ID``, and files of TrackMate
itself, which lack it, are cut into branches where edges split or merge.
"""

from __future__ import annotations

import math
import re
import warnings
import xml.etree.ElementTree as ElementTree
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...errors import ImageFileError, InputError, as_path, reading
from ...io import check_is_file, micrometres, seconds, write_text_atomically
from ..detections import check_scale
from ..track_columns import TrackTables, event_columns, events_of_graph

_OURS = {"track_id": "VS_TRACK_ID", "label": "VS_LABEL", "interpolated": "VS_INTERPOLATED"}
_FLOATS = {"y_px": "VS_Y_PX", "x_px": "VS_X_PX", "area_um2": "AREA", "quality": "VS_QUALITY"}
_VERDICTS = {"verdict": "VS_VERDICT", "link_verdict": "VS_LINK_VERDICT"}
_TEXTS = {"reason": "VS_REASON", "fragments": "VS_FRAGMENTS", **_VERDICTS}
_EVENTS = "VirtualStainEvents"


def write_trackmate(tracks: TrackTables, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write `tracks` as a TrackMate XML file and return its path.

    Raises
    ------
    OutputExistsError
        The file is there and `overwrite` is false.
    """
    root = ElementTree.Element("TrackMate", version="7.11.1")
    model = ElementTree.SubElement(root, "Model", spatialunits="micron", timeunits="sec")
    _declare_features(model)
    _write_spots(model, tracks)
    _write_edges(model, tracks)
    settings = ElementTree.SubElement(root, "Settings")
    ElementTree.SubElement(
        settings,
        "ImageData",
        filename="",
        folder="",
        pixelwidth=repr(tracks.pixel_size_um),
        pixelheight=repr(tracks.pixel_size_um),
        timeinterval=repr(tracks.frame_interval_s),
    )
    events = ElementTree.SubElement(root, _EVENTS)
    for row in tracks.events.to_dict("records"):
        ElementTree.SubElement(events, "Event", {str(k): _text(v) for k, v in row.items()})
    ElementTree.indent(root)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode")
    return write_text_atomically(path, text, overwrite=overwrite)


def read_trackmate(path: str | Path) -> TrackTables:
    """Return the tracks of a TrackMate XML file, ours or TrackMate's.

    What TrackMate hides is left out: spots that are not visible, and tracks that a filter removed.
    Lengths and times of any unit are brought into micrometres and seconds. Edges have no direction
    in TrackMate; they run from the earlier to the later spot. Splits and merges are fissions and
    fusions of the events.

    Raises
    ------
    ImageFileError
        There is no such file, or it is no XML.
    InputError
        It holds no TrackMate model.
    """
    with reading(path, "a file saved by TrackMate", error_class=InputError):
        root = _parse(as_path(path))
        model = root.find("./Model")
        if root.tag == "Tracks":
            raise InputError(
                f"{path} is what TrackMate writes by 'Export tracks to XML file': it lacks splits, "
                "merges and pixel size. Save the session in TrackMate (Save) and give that file."
            )
        if model is None or model.find("./AllSpots") is None:
            raise InputError(
                f"{path} holds no TrackMate model: expected a file saved by TrackMate, with "
                "Model/AllSpots in it."
            )
        scale = _Scale.of(root, model)
        rows = [
            _spot_row(spot, frame.get("frame"), scale)
            for frame in model.findall("./AllSpots/SpotsInFrame")
            for spot in frame.findall("./Spot")
        ]
        depths = {_number(spot.get("POSITION_Z"), 0.0) for spot in model.iterfind(".//Spot")}
        if len(depths) > 1:
            warnings.warn(
                f"The spots in {path} lie at {len(depths)} depths: tracks have two dimensions, z "
                "is left out.",
                stacklevel=3,
            )
        edges, filtered_out = _edges(model)
        in_tracks = {spot for edge in edges for spot in edge}
        rows = [r for r in rows if r.pop("is_visible") and r["spot"] not in filtered_out]
        table = pd.DataFrame(rows)
        unsaid = [name for name in _VERDICTS if len(table) and (table[name] == "").all()]
        table = table.drop(columns=unsaid)
        if not len(table):
            table = pd.DataFrame(columns=["spot", "track_id", "frame", "y_um", "x_um"], dtype=float)
        edges = _forward(table, edges, str(path))
        is_ours = "track_id" in table
        if not is_ours:
            table = _cut_into_branches(_in_tracks(table, in_tracks, str(path)), edges)
        graph = _parents(table, edges)
        interval_s = scale.frame_interval_s
        events = _read_events(root) if is_ours else events_of_graph(table, graph, interval_s)
        return TrackTables.from_table(
            table.drop(columns="spot"),
            graph,
            events,
            pixel_size_um=scale.pixel_size_um,
            frame_interval_s=interval_s,
        )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Units of a file in micrometres and seconds."""

    length_um: float
    pixel_size_um: float
    frame_interval_s: float

    @classmethod
    def of(cls, root: ElementTree.Element, model: ElementTree.Element) -> _Scale:
        image = root.find("./Settings/ImageData")
        stated = {} if image is None else image.attrib
        pixel = _number(stated.get("pixelwidth")) or 1.0
        interval = _number(stated.get("timeinterval")) or 1.0
        length = micrometres(1.0, model.get("spatialunits", "micron"))
        time = seconds(1.0, model.get("timeunits", "sec"))
        for name, factor in (("spatialunits", length), ("timeunits", time)):
            unit = model.get(name, "").casefold()
            if factor is None and unit in _PIXELS:
                warnings.warn(
                    "The lengths of the TrackMate file are in pixels; they are taken as "
                    "micrometres. Set the pixel size in TrackMate's image and save it again.",
                    stacklevel=4,
                )
            elif factor is None and unit not in _UNITLESS:
                warnings.warn(
                    f"The {name} {model.get(name)!r} of the TrackMate file are not known; its "
                    "numbers are taken as they are.",
                    stacklevel=4,
                )
        scale = cls(length or 1.0, pixel * (length or 1.0), interval * (time or 1.0))
        check_scale(scale.pixel_size_um, scale.frame_interval_s)
        return scale


_PIXELS = ("pixel", "pixels", "px")
_UNITLESS = ("", "frame", "frames")


def _declare_features(model: ElementTree.Element) -> None:
    declared = ElementTree.SubElement(model, "FeatureDeclarations")
    spots = ElementTree.SubElement(declared, "SpotFeatures")
    whole = dict.fromkeys(_OURS.values(), "true") | dict.fromkeys(_FLOATS.values(), "false")
    standard = ("QUALITY", "POSITION_X", "POSITION_Y", "POSITION_Z", "POSITION_T", "RADIUS")
    whole |= {"FRAME": "true", "VISIBILITY": "true"} | dict.fromkeys(standard, "false")
    for name, is_int in whole.items():
        ElementTree.SubElement(
            spots, "Feature", feature=name, name=name, shortname=name[:12],
            dimension="NONE", isint=is_int,
        )  # fmt: skip
    ElementTree.SubElement(declared, "EdgeFeatures")
    ElementTree.SubElement(declared, "TrackFeatures")


def _write_spots(model: ElementTree.Element, tracks: TrackTables) -> None:
    every = ElementTree.SubElement(model, "AllSpots", nspots=str(len(tracks.table)))
    for frame, rows in tracks.table.groupby("frame"):
        here = ElementTree.SubElement(every, "SpotsInFrame", frame=str(frame))
        for row in rows.to_dict("records"):
            _write_spot(here, row, tracks.frame_interval_s)
    for number, spot in zip(
        tracks.table.sort_values("frame", kind="stable").index, every.iter("Spot"), strict=True
    ):
        spot.set("ID", str(number))
        spot.set("name", f"ID{number}")


def _write_spot(here: ElementTree.Element, row: dict[Any, Any], interval_s: float) -> None:
    area = row["area_um2"]
    attributes = {
        "ID": "0",
        "name": "",
        "QUALITY": _text(row["quality"]),
        "POSITION_T": _text(row["frame"] * interval_s),
        "FRAME": _text(row["frame"]),
        "POSITION_X": _text(row["x_um"]),
        "POSITION_Y": _text(row["y_um"]),
        "POSITION_Z": "0.0",
        "VISIBILITY": "1",
        "RADIUS": _text(math.sqrt(area / math.pi) if area > 0 else 0.5),
        **{name: str(row[column]) for column, name in _TEXTS.items() if column in row},
    }
    for column, name in {**_OURS, **_FLOATS}.items():
        value = row[column]
        attributes[name] = _text(int(value) if column in _OURS else value)
    ElementTree.SubElement(here, "Spot", attributes)


def _write_edges(model: ElementTree.Element, tracks: TrackTables) -> None:
    table = tracks.table
    name = table.track_id.to_numpy()
    index = table.index.to_numpy()
    same = name[1:] == name[:-1]
    edges = list(zip(index[:-1][same].tolist(), index[1:][same].tolist(), strict=True))
    first = dict(zip(*_ends(table, "first"), strict=True))
    last = dict(zip(*_ends(table, "last"), strict=True))
    for child, parents in tracks.graph.items():
        edges += [(last[parent], first[child]) for parent in parents]
    holder = ElementTree.SubElement(model, "AllTracks")
    group = _connected(len(table), edges)
    by_group: dict[int, list[tuple[int, int]]] = {}
    for edge in edges:
        by_group.setdefault(int(group[edge[0]]), []).append(edge)
    filtered = ElementTree.SubElement(model, "FilteredTracks")
    for number, some in by_group.items():
        track = ElementTree.SubElement(
            holder, "Track", name=f"Track_{number}", TRACK_ID=str(number)
        )
        ElementTree.SubElement(filtered, "TrackID", TRACK_ID=str(number))
        for source, target in some:
            ElementTree.SubElement(
                track, "Edge", SPOT_SOURCE_ID=str(source), SPOT_TARGET_ID=str(target),
                LINK_COST="-1.0",
            )  # fmt: skip


def _ends(table: pd.DataFrame, which: str) -> tuple[list[int], list[int]]:
    rows = table.drop_duplicates("track_id", keep="first" if which == "first" else "last")
    return rows.track_id.tolist(), rows.index.tolist()


def _connected(count: int, edges: list[tuple[int, int]]) -> np.ndarray:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = np.array(edges, np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _text(value: Any) -> str:
    """Return a number so that reading it gives the same number."""
    if isinstance(value, (float, np.floating)):
        return "NaN" if math.isnan(value) else repr(float(value))
    return str(value)


def _parse(path: Path) -> ElementTree.Element:
    try:
        check_is_file(path)
        if path.stat().st_size > _MAX_BYTES:
            raise ImageFileError(f"{path} has more than 2 GB: expected a file saved by TrackMate.")
        held = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageFileError(f"There is no file {path}. Check the name and the folder.") from error
    except OSError as error:
        if isinstance(error, ImageFileError):
            raise
        raise ImageFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return ElementTree.fromstring(held)  # bytes: the file says its encoding
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        try:  # written in the encoding of a Windows machine, under the name UTF-8
            held.decode("utf-8")
        except UnicodeDecodeError:
            with suppress(ElementTree.ParseError, ValueError):
                text = held.decode("cp1252", errors="replace")
                return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
        raise ImageFileError(
            f"{path} cannot be read as XML ({error}). Save it again from TrackMate."
        ) from error


_MAX_BYTES = 2**31


def _spot_row(spot: ElementTree.Element, frame: str | None, scale: _Scale) -> dict[str, Any]:
    number = _number(spot.get("FRAME", frame))
    row: dict[str, Any] = {
        "spot": int(spot.get("ID", -1)),
        "is_visible": (_number(spot.get("VISIBILITY", "1")) or 0) != 0,
        "frame": np.nan if number is None else number,
        "y_um": _length(spot, "POSITION_Y", scale),
        "x_um": _length(spot, "POSITION_X", scale),
        **{column: spot.get(name, "") for column, name in _TEXTS.items()},
    }
    for column, name in _OURS.items():
        if (value := spot.get(name)) is not None:
            row[column] = int(value)
    for column, name in _FLOATS.items():
        if (value := spot.get(name)) is not None:
            row[column] = _number(value, np.nan)
    is_ours = "track_id" in row
    if not is_ours and "area_um2" in row:
        row["area_um2"] *= scale.length_um**2
    radius = _length(spot, "RADIUS", scale)
    if not is_ours and "area_um2" not in row and np.isfinite(radius):
        row["area_um2"] = math.pi * radius**2
    return row


def _length(spot: ElementTree.Element, name: str, scale: _Scale) -> float:
    number = _number(spot.get(name))
    return np.nan if number is None else number * scale.length_um


def _number(text: str | None, otherwise: Any = None) -> Any:
    """Return a number, also of a locale that writes ``1,5``."""
    try:
        return float((text or "").strip().replace(",", "."))
    except ValueError:
        return otherwise


def _edges(model: ElementTree.Element) -> tuple[list[tuple[int, int]], set[int]]:
    """Return the edges of the tracks that are shown, and the spots of those that are not."""
    shown = model.find("./FilteredTracks")
    kept = None if shown is None else {track.get("TRACK_ID") for track in shown}
    edges, hidden = [], set()
    for track in model.findall("./AllTracks/Track"):
        own = [
            (int(edge.get("SPOT_SOURCE_ID", -1)), int(edge.get("SPOT_TARGET_ID", -1)))
            for edge in track.findall("./Edge")
        ]
        if kept is None or track.get("TRACK_ID") in kept:
            edges += own
        else:
            hidden |= {spot for edge in own for spot in edge}
    return edges, hidden - {spot for edge in edges for spot in edge}


def _forward(table: pd.DataFrame, edges: list[tuple[int, int]], path: str) -> list[tuple[int, int]]:
    """Return each edge once, from the earlier to the later spot, with a warning of lost ones."""
    if len(table) and table.spot.duplicated().any():
        twice = table.spot[table.spot.duplicated()].iloc[0]
        raise InputError(f"{path} has the spot {twice} twice: expected one spot an ID.")
    frame = dict(zip(table.spot, table.frame, strict=True))
    kept: dict[tuple[int, int], None] = {}
    lost = 0
    for source, target in edges:
        if source not in frame or target not in frame or frame[source] == frame[target]:
            lost += 1
            continue
        forward = frame[source] < frame[target]
        kept[(source, target) if forward else (target, source)] = None
    if lost:
        warnings.warn(
            f"{lost} of {len(edges)} edges in {path} lead to spots that are hidden or missing, or "
            "in the same frame; they were left out.",
            stacklevel=4,
        )
    return list(kept)


def _in_tracks(table: pd.DataFrame, in_tracks: set[int], path: str) -> pd.DataFrame:
    """Return the rows of spots that TrackMate has in a track; of a file without tracks, all."""
    lone = ~table.spot.isin(in_tracks)
    if not in_tracks or not lone.any():
        return table
    warnings.warn(
        f"{int(lone.sum())} of {len(table)} spots in {path} are in no track; they were left out.",
        stacklevel=4,
    )
    return table[~lone].reset_index(drop=True)


def _cut_into_branches(table: pd.DataFrame, edges: list[tuple[int, int]]) -> pd.DataFrame:
    """Return `table` with tracks that go on only along edges without split or merge."""
    leaving = pd.Series([a for a, _ in edges], dtype=np.int64).value_counts()
    arriving = pd.Series([b for _, b in edges], dtype=np.int64).value_counts()
    plain = [(a, b) for a, b in edges if leaving[a] == 1 and arriving[b] == 1]
    place = {spot: i for i, spot in enumerate(table.spot)}
    group = _connected(len(table), [(place[a], place[b]) for a, b in plain])
    return table.assign(track_id=group + 1)


def _parents(table: pd.DataFrame, edges: list[tuple[int, int]]) -> dict[int, list[int]]:
    name = dict(zip(table.spot, table.track_id, strict=True))
    graph: dict[int, list[int]] = {}
    for a, b in edges:
        if a in name and b in name and name[a] != name[b]:
            graph.setdefault(int(name[b]), []).append(int(name[a]))
    return {child: sorted(set(parents)) for child, parents in sorted(graph.items())}


def _read_events(root: ElementTree.Element) -> pd.DataFrame | None:
    rows = [dict(event.attrib) for event in root.findall(f"./{_EVENTS}/Event")]
    if not rows:
        return None
    return event_columns(pd.DataFrame(rows))
