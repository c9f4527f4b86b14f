"""Tables of tracks: their columns, their checks, and the value that file formats read and write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, Self

import numpy as np
import pandas as pd

from ..errors import InputError
from .detections import MAX_FRAMES, MAX_PLACE_UM, numbers_of

COLUMNS: dict[str, Any] = {
    "track_id": np.int64,
    "frame": np.int64,
    "y_um": np.float64,
    "x_um": np.float64,
    "y_px": np.float64,
    "x_px": np.float64,
    "label": np.int64,
    "area_um2": np.float64,
    "interpolated": np.bool_,
    "quality": np.float64,
    "parent": np.int64,
    "reason": "str",
    "fragments": "str",
}
EVENT_COLUMNS: dict[str, Any] = {
    "kind": "str",
    "frame": np.int64,
    "time_s": np.float64,
    "y_um": np.float64,
    "x_um": np.float64,
    "probability": np.float64,
    "parents": "str",
    "children": "str",
}
# what a person has said of an event: accepted, or nothing yet
VERDICT_COLUMN = "status"


def event_columns(events: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of events that files keep: what was found, and what a person said."""
    if VERDICT_COLUMN not in events:
        return events[list(EVENT_COLUMNS)]
    said = events[VERDICT_COLUMN].astype(object).where(events[VERDICT_COLUMN].notna(), "")
    return events[list(EVENT_COLUMNS)].assign(**{VERDICT_COLUMN: said})


@dataclass(frozen=True, slots=True)
class TrackTables:
    """Table, graph, events and scale of the tracks of a movie; see :class:`.Tracks`.

    Attributes
    ----------
    table : DataFrame
        One row per object and frame.
    graph : dict of int to list of int
        Parents of each track that has some.
    events : DataFrame
        Fissions and fusions.
    pixel_size_um, frame_interval_s : float
        Scale of the movie.
    """

    table: pd.DataFrame
    graph: dict[int, list[int]] = field(default_factory=dict)
    events: pd.DataFrame = field(default_factory=lambda: empty_events())
    pixel_size_um: float = 1.0
    frame_interval_s: float = 1.0

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        graph: Mapping[int, list[int]] | None = None,
        events: pd.DataFrame | None = None,
        *,
        pixel_size_um: float = 1.0,
        frame_interval_s: float = 1.0,
    ) -> Self:
        """Return tracks of a table that has at least ``track_id frame y_um x_um``.

        Raises
        ------
        InputError
            One of these is missing or holds no such numbers, or a track is in a frame twice.
        """
        complete = _complete(table, pixel_size_um)
        twice = complete.duplicated(["track_id", "frame"])
        if twice.any():
            first = complete[twice].iloc[0]
            raise InputError(
                f"Track {first.track_id} is in frame {first.frame} twice: expected "
                "one row per track and frame. Give the second object an identity of its own."
            )
        parents = _checked_graph(graph or {})
        complete["parent"] = complete.track_id.map({k: v[0] for k, v in parents.items()}).fillna(0)
        complete["parent"] = complete.parent.astype(np.int64)
        return cls(
            complete,
            parents,
            empty_events() if events is None else _typed(events, EVENT_COLUMNS),
            float(pixel_size_um),
            float(frame_interval_s),
        )

    def __len__(self) -> int:
        return int(self.table.track_id.nunique())

    def __iter__(self) -> Iterator[tuple[int, pd.DataFrame]]:
        """Iterate over (track_id, rows of this track)."""
        for name, rows in self.table.groupby("track_id", sort=True):
            yield int(str(name)), rows


def empty_events() -> pd.DataFrame:
    """Return an events table without rows."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in EVENT_COLUMNS.items()})


def events_of_graph(
    table: pd.DataFrame, graph: Mapping[int, list[int]], frame_interval_s: float
) -> pd.DataFrame:
    """Return a fission for each parent of several children, a fusion for each child of several.

    For graphs of other programs, which say nothing else of events; the probability is 1. Frame
    and place are those of the first child.

    Examples
    --------
    >>> table = pd.DataFrame({"track_id": [1, 2, 3], "frame": [0, 1, 1], "y_um": 0.0, "x_um": 0.0})
    >>> events_of_graph(table, {2: [1], 3: [1]}, 2.0)[["kind", "frame", "children"]].values.tolist()
    [['fission', 1, '2;3']]
    """
    first = table.sort_values("frame", kind="stable").drop_duplicates("track_id")
    begins = first.set_index("track_id")[["frame", "y_um", "x_um"]]
    children: dict[int, list[int]] = {}
    for child, parents in graph.items():
        for parent in parents:
            children.setdefault(parent, []).append(child)
    found = [("fission", [one], some) for one, some in children.items() if len(some) > 1]
    found += [("fusion", some, [one]) for one, some in graph.items() if len(some) > 1]
    rows: list[dict[str, Any]] = []
    for kind, before, after in found:
        place = begins.loc[after].sort_values("frame", kind="stable").iloc[0]
        rows.append(
            {
                "kind": kind,
                "frame": int(place.frame),
                "time_s": int(place.frame) * frame_interval_s,
                "y_um": float(place.y_um),
                "x_um": float(place.x_um),
                "probability": 1.0,
                "parents": ";".join(map(str, sorted(before))),
                "children": ";".join(map(str, sorted(after))),
            }
        )
    rows.sort(key=lambda row: row["frame"])
    return pd.DataFrame(rows, columns=list(EVENT_COLUMNS)) if rows else empty_events()


def _complete(table: pd.DataFrame, pixel_size_um: float) -> pd.DataFrame:
    missing = [name for name in ("track_id", "frame", "y_um", "x_um") if name not in table]
    if missing:
        raise InputError(
            f"A table of tracks lacks {', '.join(missing)}; it has "
            f"{', '.join(map(str, table.columns)) or 'no columns'}. Expected at least "
            "track_id, frame, y_um, x_um."
        )
    full = table.drop(columns="parent", errors="ignore")  # the graph says it
    _check_numbers(full)
    defaults: dict[str, Any] = {
        "y_px": full.y_um / pixel_size_um,
        "x_px": full.x_um / pixel_size_um,
        "label": 0,
        "area_um2": np.nan,
        "interpolated": False,
        "quality": 1.0,
        "parent": 0,
        "reason": "",
        "fragments": "",
    }
    for name, value in defaults.items():
        if name not in full:
            full[name] = value
    for name in ("reason", "fragments"):
        full[name] = full[name].astype(object).where(full[name].notna(), "")
    others = [name for name in full.columns if name not in COLUMNS]
    full = _typed(full[[*COLUMNS, *others]], COLUMNS)
    return full.sort_values(["track_id", "frame"], kind="stable").reset_index(drop=True)


_LIMITS = {"track_id": 2**53, "frame": MAX_FRAMES, "y_um": MAX_PLACE_UM, "x_um": MAX_PLACE_UM}


def _check_numbers(table: pd.DataFrame) -> None:
    """Raise a clear error unless places are finite, and tracks and frames whole numbers."""
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(f"A table of tracks has the column {twice[0]!r} twice: expected it once.")
    if "area_um2" in table:
        area = numbers_of(table.area_um2)
        if (area < 0).any() or np.isinf(area).any():
            raise InputError(
                f"A table of tracks has values from {np.nanmin(area):g} to {np.nanmax(area):g} in "
                "column area_um2: expected positive numbers, or none."
            )
    if "interpolated" in table and not table.interpolated.isin([True, False]).all():
        raise InputError(
            "A table of tracks has other values than True and False in column interpolated."
        )
    for name, limit in _LIMITS.items():
        values = numbers_of(table[name])
        whole = name in ("track_id", "frame")
        bad = ~(np.abs(values) <= limit) | (whole & (values != np.round(values)))
        if bad.any():
            raise InputError(
                f"A table of tracks has {table[name].iloc[int(bad.argmax())]} in column {name}, "
                f"row {int(bad.argmax())}: expected {'whole' if whole else 'finite'} numbers up to "
                f"{limit:g}."
            )


def _checked_graph(graph: Mapping[int, list[int]]) -> dict[int, list[int]]:
    """Return the parents of each track as whole numbers.

    Raises
    ------
    InputError
        It is no mapping to lists of numbers, or a track is its own ancestor.
    """
    try:
        parents = {int(k): [int(p) for p in v] for k, v in graph.items() if len(v)}
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"The graph of the tracks is not usable ({error}): expected a dict from each child to "
            "the list of its parents, for instance {2: [1]}."
        ) from error
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        raise InputError(
            f"Track {error.args[1][0]} is its own ancestor in the graph: expected parents before "
            "their children."
        ) from error
    return parents


def _typed(table: pd.DataFrame, kinds: dict[str, Any]) -> pd.DataFrame:
    try:
        return table.astype({name: kind for name, kind in kinds.items() if name in table})
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"A table of tracks holds a value of the wrong kind ({error}): expected numbers in "
            f"{', '.join(kinds)}."
        ) from error
