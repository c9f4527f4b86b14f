"""Tracks in the layout of the Cell Tracking Challenge: masks and ``res_track.txt``.

The layout knows one parent per track, so a fusion cannot be said in it; it is warned about.
It knows no gaps either: a track with a gap is written as two, the second with the first
as its only parent, and joined again when it is read.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import AxesError, ImageFileError, InputError, as_path, reading
from ...io import MAX_PLANES, atomic_path, check_output, open_stack
from ..detections import no_rows
from ..mask_detections import measure_plane, whole_labels
from ..motion_models.smoothing import fill_gaps
from ..relabelling import keys_of, painted
from ..track_columns import TrackTables

_SMALLEST_DISC_PX = 1.5


def write_ctc(
    tracks: TrackTables,
    directory: str | Path,
    labels: Any | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write ``maskNNN.tif`` of each frame and ``res_track.txt`` into `directory`.

    Parameters
    ----------
    tracks : TrackTables
        To be written; interpolated rows have no mask and are left out.
    directory : str or Path
        New folder.
    labels : array of int, shape (T, Y, X), optional
        The labels that were tracked. Without them discs of the same area are drawn.
    overwrite : bool
        Whether a folder that is there may be replaced.

    Raises
    ------
    InputError
        There are more than 65535 tracks, which the layout cannot number, or they are of frames
        that `labels` lacks.
    OutputExistsError
        The folder is there and `overwrite` is false.
    """
    target = check_output(directory, overwrite=overwrite)
    _check_frames(tracks, labels)
    _warn_of_fusions(tracks)
    segments = _segments(tracks)
    if len(segments) and segments.segment.max() > 65535:
        raise InputError(
            f"There are {segments.segment.max()} tracks: the Cell Tracking Challenge's 16-bit "
            "masks number at most 65535. Leave out short tracks, or export GEFF."
        )
    with atomic_path(target, overwrite=overwrite) as unfinished:
        unfinished.mkdir()
        _write_masks(unfinished, tracks, segments, labels)
        (unfinished / "res_track.txt").write_text(_lineage(tracks, segments), encoding="ascii")
    return target


def read_ctc(
    directory: str | Path, *, pixel_size_um: float = 1.0, frame_interval_s: float = 1.0
) -> TrackTables:
    """Return the tracks of a folder in the layout of the Cell Tracking Challenge.

    Parameters
    ----------
    directory : str or Path
        With ``mask*.tif`` or ``man_track*.tif`` and ``res_track.txt`` or ``man_track.txt``.
    pixel_size_um, frame_interval_s : float
        Scale, which the layout does not hold.

    Raises
    ------
    ImageFileError
        The folder has no masks or no lineage.
    InputError
        The lineage is not four whole numbers a line, or the masks differ in size.
    """
    folder = as_path(directory)
    with reading(folder, "a result of the Cell Tracking Challenge", error_class=InputError):
        lineage, planes = _files(folder)
        measured: list[pd.DataFrame] = []
        shape: tuple[int, ...] | None = None
        for frame, path in planes:
            mask = _mask(path)
            if shape not in (None, mask.shape):
                raise InputError(
                    f"{path} is {mask.shape}, the masks before it are {shape}: expected masks of "
                    "one size."
                )
            shape = mask.shape
            table, _ = measure_plane(mask, None, frame, pixel_size_um)
            if len(table):
                measured.append(table)
        columns = ["frame", "y_um", "x_um", "label", "area_um2"]
        rows = pd.concat(measured, ignore_index=True)[columns] if measured else no_rows(columns)
        lines = _read_lineage(lineage)
        _warn_of_differences(rows, lines, [frame for frame, _ in planes], lineage)
        joined, graph = _join(lines)
        written: list[int] = rows.label.to_numpy(np.int64).tolist()
        rows["track_id"] = [joined.get(name, name) for name in written]
        return TrackTables.from_table(
            fill_gaps(rows.assign(interpolated=False)) if len(rows) else rows,
            graph,
            pixel_size_um=pixel_size_um,
            frame_interval_s=frame_interval_s,
        )


_LAYOUTS = (("res_track.txt", "mask"), ("man_track.txt", "man_track"))


def _files(folder: Path) -> tuple[Path, list[tuple[int, Path]]]:
    """Return the lineage and the masks with the frame that each one's name says.

    A result has ``res_track.txt`` with ``mask*``, a reference ``man_track.txt`` with
    ``man_track*``; where a folder holds both, the result is read.
    """
    everything = sorted(folder.iterdir()) if folder.is_dir() else []
    by_start = {
        start: [
            (int(found[1]), path)
            for path in everything
            if (found := re.fullmatch(rf"{start}_?(\d+)\.tiff?", path.name, re.IGNORECASE))
        ]
        for _, start in _LAYOUTS
    }
    lineages = {name: folder / name for name, _ in _LAYOUTS if (folder / name).is_file()}
    for name, start in _LAYOUTS:
        if name in lineages and by_start[start]:
            return lineages[name], _once(sorted(by_start[start]), folder)
    other = next((path for path in lineages.values()), None)
    crossed = by_start["mask"] or by_start["man_track"]
    if other is not None and (crossed or other.stat().st_size == 0):
        return other, _once(sorted(crossed), folder)
    raise ImageFileError(
        f"{folder} is no result of the Cell Tracking Challenge: expected mask000.tif, "
        "mask001.tif, … and res_track.txt, or man_track000.tif, … and man_track.txt."
    )


def _once(planes: list[tuple[int, Path]], folder: Path) -> list[tuple[int, Path]]:
    if planes and planes[-1][0] > MAX_PLANES:
        raise InputError(
            f"{planes[-1][1]} is frame {planes[-1][0]} by its name: expected at most "
            f"{MAX_PLANES:,}. Correct the name."
        )
    frames = [frame for frame, _ in planes]
    twice = next((a for a, b in pairwise(frames) if a == b), None)
    if twice is not None:
        raise InputError(f"{folder} has two masks of frame {twice}: expected one file per frame.")
    return planes


def _mask(path: Path) -> NDArray[np.int64]:
    """Return the labels of one file.

    Raises
    ------
    AxesError
        They are a z-stack.
    InputError
        They are no whole numbers of 0 or more.
    """
    stack = open_stack(path)
    if stack.axes != "yx":
        raise AxesError(
            f"{path} holds labels of {' x '.join(map(str, stack.shape))} ({stack.axes}): tracking "
            "works in two dimensions. Project each stack along z (for instance the maximum)."
        )
    return whole_labels(np.asarray(stack.data), str(path))


def _check_frames(tracks: TrackTables, labels: Any | None) -> None:
    frame = tracks.table.frame
    count = _frames(tracks) if labels is None else len(labels)
    if len(frame) and (frame.min() < 0 or frame.max() >= count):
        raise InputError(
            f"The tracks are of frames {frame.min()} to {frame.max()}, the masks of 0 to "
            f"{count - 1}: expected tracks and labels of one movie, counted from 0."
        )


def _warn_of_fusions(tracks: TrackTables) -> None:
    fusions = sum(len(parents) > 1 for parents in tracks.graph.values())
    if fusions:
        warnings.warn(
            f"{fusions} fusion{'s are' if fusions > 1 else ' is'} lost: the Cell Tracking "
            "Challenge's layout knows one parent per track. The first is kept; GEFF, CSV and "
            "TrackMate keep all.",
            stacklevel=3,
        )


def _segments(tracks: TrackTables) -> pd.DataFrame:
    """Return the rows seen, with the segment (track between gaps) that each belongs to."""
    seen = tracks.table[~tracks.table.interpolated].copy()
    new = seen.groupby("track_id").frame.diff().fillna(1) > 1
    extra = np.cumsum(new.to_numpy())
    highest = int(tracks.table.track_id.max()) if len(tracks.table) else 0
    number = pd.Series(np.where(new, highest + extra, 0), index=seen.index)
    latest = number.groupby(seen.track_id).cummax()
    seen["segment"] = np.where(latest > 0, latest, seen.track_id).astype(np.int64)
    return seen


def _lineage(tracks: TrackTables, segments: pd.DataFrame) -> str:
    spans = segments.groupby("segment").agg(
        first=("frame", "min"), last=("frame", "max"), track=("track_id", "first")
    )
    last_of = spans.reset_index().groupby("track").segment.max()
    before = spans.reset_index().groupby("track").segment.shift().to_numpy()
    lines = []
    rows: list[Any] = list(spans.reset_index().itertuples())
    for row, previous in zip(rows, before, strict=True):
        if not np.isnan(previous):
            parent = int(previous)
        else:
            named = [name for name in tracks.graph.get(row.track, []) if name in last_of.index]
            parent = int(last_of[named[0]]) if named else 0
        lines.append(f"{row.segment} {row.first} {row.last} {parent}\n")
    return "".join(lines)


def _write_masks(
    folder: Path, tracks: TrackTables, segments: pd.DataFrame, labels: Any | None
) -> None:
    import tifffile

    count = len(labels) if labels is not None else _frames(tracks)
    width = max(3, len(str(max(count - 1, 0))))
    by_frame, keys = dict(iter(segments.groupby("frame"))), keys_of(segments, "segment")
    for frame in range(count):
        rows = by_frame.get(frame)
        if labels is not None:
            plane = painted(np.asarray(labels[frame]), keys.get(frame)).astype(np.uint16)
        else:
            plane = _discs(tracks, rows)
        tifffile.imwrite(folder / f"mask{frame:0{width}d}.tif", plane, compression="zlib")


def _frames(tracks: TrackTables) -> int:
    return int(tracks.table.frame.max()) + 1 if len(tracks.table) else 0


def _discs(tracks: TrackTables, rows: pd.DataFrame | None) -> NDArray[np.uint16]:
    table = tracks.table
    area_px = table.area_um2.fillna(0) / tracks.pixel_size_um**2
    margin = float(np.sqrt(area_px.max() / np.pi)) + 3
    shape = (int(table.y_px.max() + margin) + 1, int(table.x_px.max() + margin) + 1)
    plane = np.zeros(shape, np.uint16)
    if rows is None:
        return plane
    y, x = np.indices(shape)
    columns = ["y_px", "x_px", "area_um2", "segment"]
    for row_px, column_px, area, segment in rows[columns].fillna(0.0).to_numpy(np.float64):
        radius = max(np.sqrt(area / np.pi) / tracks.pixel_size_um, _SMALLEST_DISC_PX)
        inside = (y - row_px) ** 2 + (x - column_px) ** 2 <= radius**2
        plane[inside & (plane == 0)] = int(segment)
    return plane


def _read_lineage(path: Path) -> dict[int, tuple[int, int, int]]:
    """Return first frame, last frame and parent of each segment."""
    lines: dict[int, tuple[int, int, int]] = {}
    try:
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            if line.strip():
                name, first, last, parent = (int(part) for part in line.split())
                if name in lines:
                    raise ValueError(f"track {name} is there twice")
                lines[name] = first, last, max(parent, 0)  # below 0: none
    except ValueError as error:
        raise InputError(
            f"{path} is no lineage ({error}): expected four whole numbers a line, track, first "
            "frame, last frame, parent."
        ) from error
    for name, (first, last, parent) in lines.items():
        if first > last or (parent in lines and lines[parent][0] >= first):
            raise InputError(
                f"{path} says that track {name} is of frames {first} to {last} and a child of "
                f"{parent}, of {lines.get(parent, (first, last, 0))[0]}: expected parents before "
                "their children."
            )
    return lines


def _warn_of_differences(
    rows: pd.DataFrame,
    lines: dict[int, tuple[int, int, int]],
    frames: Sequence[int],
    path: Path,
) -> None:
    """Warn where masks and lineage contradict each other, or masks are missing."""
    differences = []
    if frames and (absent := sorted(set(range(frames[0], frames[-1])) - set(frames))):
        differences.append(f"there are no masks of the frames {_listed(absent)}")
    span = rows.groupby("label").frame.agg(["min", "max"])
    if unknown := sorted(set(span.index) - set(lines)):
        differences.append(f"the lineage lacks the labels {_listed(unknown)} of the masks")
    if unseen := sorted(set(lines) - set(span.index)):
        differences.append(f"the masks lack the tracks {_listed(unseen)} of the lineage")
    other = [n for n in span.index if n in lines and tuple(span.loc[n]) != lines[n][:2]]
    if other:
        differences.append(
            f"the tracks {_listed(other)} are in other frames of the masks than the lineage says"
        )
    if orphans := sorted(
        n for n, (_, _, parent) in lines.items() if parent and parent not in lines
    ):
        differences.append(f"the parents of {_listed(orphans)} are not there and were left out")
    if differences:
        warnings.warn(f"{path.parent}: {'; '.join(differences)}. The masks count.", stacklevel=4)


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_LISTED])
    return shown if len(numbers) <= _LISTED else f"{shown} and {len(numbers) - _LISTED} more"


_LISTED = 8


def _join(
    lines: dict[int, tuple[int, int, int]],
) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Return the track of each segment, and the graph of tracks.

    A segment goes on after a gap when it is the only child of another and begins later
    than the frame after it; a child in the very next frame is of a fission or fusion.
    """
    children: dict[int, list[int]] = {}
    for name, (_, _, parent) in lines.items():
        children.setdefault(parent, []).append(name)
    joined = {name: name for name in lines}
    for name in sorted(lines, key=lambda one: lines[one][0]):
        first, _, parent = lines[name]
        if parent in lines and len(children[parent]) == 1 and first > lines[parent][1] + 1:
            joined[name] = joined[parent]
    graph = {
        joined[name]: [joined[parent]]
        for name, (_, _, parent) in lines.items()
        if parent in joined and joined[name] == name
    }
    return joined, graph
