"""Tracks as GEFF, the graph exchange format of the tracking tools (needs the extra ``geff``)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...errors import ImageFileError, InputError, as_path, reading
from ...io import atomic_path, check_output
from ..detections import check_scale
from ..track_columns import COLUMNS, TrackTables, event_columns

_EXTRA = "napari_virtualstain"
# GEFF has no strings among its node properties
_TEXTS = ("reason", "fragments", "verdict", "link_verdict")


def write_geff(tracks: TrackTables, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write `tracks` as a GEFF folder and return its path.

    Nodes are rows, edges are links and kinships; axes, units and our columns are node
    properties, so that fission and fusion both survive.

    Raises
    ------
    InputError
        The package ``geff`` is not installed.
    OutputExistsError
        The folder is there and `overwrite` is false.
    """
    write_arrays, _, spec = _geff()
    target = check_output(path, overwrite=overwrite)
    table = tracks.table
    properties = {
        name: {"values": table[name].to_numpy(), "missing": None}
        for name in table.columns
        if name not in _TEXTS
    }
    metadata = spec.GeffMetadata(
        directed=True,
        node_props_metadata={},
        edge_props_metadata={},
        axes=[
            spec.Axis(name="frame", type="time", unit="frame"),
            spec.Axis(name="y_um", type="space", unit="micrometer"),
            spec.Axis(name="x_um", type="space", unit="micrometer"),
        ],
        extra={_EXTRA: _extra(tracks)},
    )
    with atomic_path(target, overwrite=overwrite) as unfinished:
        write_arrays(
            unfinished,
            node_ids=table.index.to_numpy().astype(np.uint64),
            node_props=properties,
            edge_ids=_edges(tracks).astype(np.uint64),
            edge_props={},
            metadata=metadata,
        )
    return target


def read_geff(path: str | Path) -> TrackTables:
    """Return the tracks of a GEFF folder that :func:`write_geff` wrote.

    Raises
    ------
    ImageFileError
        There is no such folder, or it is no GEFF.
    InputError
        It lacks our columns, or the package ``geff`` is not installed.
    """
    _, read_to_memory, _ = _geff()
    source = as_path(path)
    if not source.exists():
        raise ImageFileError(f"There is no folder {source}. Check the name.")
    with reading(source, "a folder that GEFF was written to"):
        _check_sizes(source)
        return _tables(source, read_to_memory(source))


def _tables(source: Path, content: Any) -> TrackTables:
    properties = content["node_props"]
    missing = [name for name in ("track_id", "frame", "y_um", "x_um") if name not in properties]
    if missing:
        raise InputError(
            f"{source} lacks the node properties {', '.join(missing)}; it has "
            f"{', '.join(properties) or 'none'}. Give a GEFF that napari-virtualstain wrote."
        )
    table = pd.DataFrame({name: _values(values) for name, values in properties.items()})
    nodes = np.asarray(content["node_ids"])
    order = np.argsort(nodes)
    extra = (content["metadata"].extra or {}).get(_EXTRA, {})
    table = table.iloc[order].reset_index(drop=True)
    for name in set(_TEXTS) & set(extra):
        table[name] = extra[name]
    graph = _graph(table, nodes[order], content["edge_ids"], source)
    events = pd.DataFrame(json.loads(extra["events"])) if extra.get("events") else None
    others = [name for name in table.columns if name not in COLUMNS]
    scale = extra.get("pixel_size_um", 1.0), extra.get("frame_interval_s", 1.0)
    check_scale(*scale)
    return TrackTables.from_table(
        table[[*[name for name in COLUMNS if name in table], *others]],
        graph,
        None if events is None or not len(events) else event_columns(events),
        pixel_size_um=scale[0],
        frame_interval_s=scale[1],
    )


def _values(held: Any) -> Any:
    """Return the values of a property, NaN where the file says that they are missing."""
    values, missing = held["values"], held.get("missing")
    if missing is None or not np.any(missing):
        return values
    return np.where(missing, np.nan, np.asarray(values, float))


def _check_sizes(source: Path) -> None:
    """Refuse arrays that are declared larger than tracks can be, before space is made for them."""
    import zarr

    for mark in (*source.rglob(".zarray"), *source.rglob("zarr.json")):
        node = zarr.open(mark.parent, mode="r")
        if isinstance(node, zarr.Array):
            count = max(math.prod(node.shape), math.prod(node.chunks))
            if count * np.dtype(node.dtype).itemsize > _MAX_BYTES:
                raise ImageFileError(
                    f"{mark.parent} declares {count:,} values: expected at most those of "
                    f"{_MAX_BYTES / 1e6:.0f} MB. Copy it again from its source."
                )


_MAX_BYTES = 2**28


def _geff() -> tuple[Any, Any, Any]:
    try:
        import geff_spec  # type: ignore[import-untyped]
        from geff.core_io import read_to_memory, write_arrays
    except ImportError as error:
        raise InputError(
            "GEFF needs the package geff, which is not installed. Run: "
            "pip install 'napari-virtualstain[geff]'"
        ) from error
    return write_arrays, read_to_memory, geff_spec


def _extra(tracks: TrackTables) -> dict[str, Any]:
    return {
        "pixel_size_um": tracks.pixel_size_um,
        "frame_interval_s": tracks.frame_interval_s,
        "events": json.dumps(tracks.events.to_dict("list")),
        **{name: tracks.table[name].tolist() for name in _TEXTS if name in tracks.table},
    }


def _edges(tracks: TrackTables) -> Any:
    """Return (source, target) rows of each link and kinship, shape (E, 2)."""
    table = tracks.table
    name, index = table.track_id.to_numpy(), table.index.to_numpy()
    same = name[1:] == name[:-1]
    links = np.column_stack([index[:-1][same], index[1:][same]])
    position = pd.Series(index, index=name)
    begin = position[~position.index.duplicated(keep="first")]
    end = position[~position.index.duplicated(keep="last")]
    kin = [
        (end[parent], begin[child])
        for child, parents in tracks.graph.items()
        for parent in parents
        if parent in end.index
    ]
    return np.concatenate([links, np.array(kin, np.int64).reshape(-1, 2)])


def _graph(table: pd.DataFrame, nodes: Any, edges: Any, source: Path) -> dict[int, list[int]]:
    track_ids = table.track_id.to_numpy()
    pairs = np.asarray(edges).reshape(-1, 2)
    if not np.isin(pairs, nodes).all():
        raise InputError(f"{source} has edges to nodes that it lacks. Write it again.")
    graph: dict[int, list[int]] = {}
    for begin, end in np.searchsorted(nodes, pairs):
        child, parent = int(track_ids[end]), int(track_ids[begin])
        if child != parent:
            graph.setdefault(child, []).append(parent)
    return {child: sorted(set(parents)) for child, parents in sorted(graph.items())}
