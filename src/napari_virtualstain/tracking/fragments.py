"""Fragments of one object, which are joined and linked as one.

What :mod:`.persistence` finds to be no object of its own is joined with the rest of it, and the
movie is linked again: areas and centres no longer jump, and who somebody is no longer hangs on how
the outline was cut in this frame.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..progress import Reporter
from .detections import Detections, IntArray, read_detections
from .events.candidates import LinkedMovie, find_events
from .events.clumps import untangle_clumps
from .events.persistence import Fragment, lasting_events
from .link_detections import in_order, link_detections
from .linking.result import Linking
from .mask_pixels import MaskPixels
from .motion_models.two_sided import neighbours_in_track
from .tracking_config import TrackingConfig
from .tracks import Tracks


def link_fragments(
    table: pd.DataFrame, masks: MaskPixels, config: TrackingConfig, report: Reporter
) -> tuple[Linking, IntArray]:
    """Return linked objects, and which of them each of the n masks belongs to.

    Parameters
    ----------
    table : DataFrame
        Detections sorted by frame, one row a mask; n rows.
    masks : MaskPixels
        Their pixels.
    config : TrackingConfig
        Settings.
    report : Reporter
        Called after each frame.

    Returns
    -------
    Linking, ndarray of shape (n,)
    """
    owner = np.arange(len(table))
    objects, pixels = table, masks
    linked = link_detections(read_detections(objects), config, pixels, report=report)
    lifetimes = None
    for _ in range(config.tuning.events.fragment_rounds if config.fission_fusion else 0):
        movie = LinkedMovie.of(linked, config.tuning)
        parted = _ended_at_gaps(movie)
        _, events = untangle_clumps(parted, find_events(parted))
        _, fragments, judged = lasting_events(movie, events, lifetimes)
        if not fragments:
            break
        group = _objects(movie, fragments)
        owner, lifetimes = group[owner], judged
        objects, pixels = _joined(objects, group), pixels.joined(group)
        again = Reporter(None, cancel=report.cancel)
        linked = link_detections(read_detections(objects), config, pixels, report=again)
    return replace(linked, lifetimes=lifetimes), owner


def _ended_at_gaps(movie: LinkedMovie) -> LinkedMovie:
    """Return the movie with a new name after each gap: what breaks may be gone for a linker."""
    before = neighbours_in_track(movie.track_ids)
    frame = movie.detections.frame
    begins = (before < 0) | (frame - frame[before] > movie.detections.frame_step)
    order = np.argsort(movie.track_ids, kind="stable")
    track_ids = np.empty(len(order), np.int64)
    track_ids[order] = np.cumsum(begins[order])
    return movie.with_track_ids(track_ids)


def _objects(movie: LinkedMovie, fragments: list[Fragment]) -> IntArray:
    """Return the object of each detection, numbered in the order of the first of its masks."""
    found, track_ids = movie.detections, movie.track_ids
    tracks = {
        name: dict(zip(found.frame[here].tolist(), here.tolist(), strict=True))
        for name, here in _members(track_ids)
    }
    pairs = [pair for some in fragments for pair in _together(found, track_ids, tracks, some)]
    one, other = np.array(pairs, np.int64).reshape(-1, 2).T
    joins = coo_array((np.ones(len(one)), (one, other)), (len(track_ids), len(track_ids)))
    _, group = connected_components(joins, directed=False)
    return in_order(group.astype(np.int64)) - 1


def _members(track_ids: IntArray) -> list[tuple[int, IntArray]]:
    order = np.argsort(track_ids, kind="stable")
    values, first = np.unique(track_ids[order], return_index=True)
    parts = np.split(order, first[1:]) if len(order) else []
    return list(zip(values.tolist(), parts, strict=True))


def _together(
    found: Detections, track_ids: IntArray, tracks: dict[int, dict[int, int]], some: Fragment
) -> list[tuple[int, int]]:
    """Return (fragment, rest) of each frame in which the object is in fragments."""
    fragment, rest = tracks[int(track_ids[some.fragment])], tracks[int(track_ids[some.of])]
    frames = sorted(fragment, reverse=some.sign < 0)
    first = frames.index(int(found.frame[some.fragment]))
    mine = frames[first : first + some.frames]
    return [(fragment[frame], rest[frame]) for frame in mine if frame in rest]


def with_fragments(tracks: Tracks, table: pd.DataFrame, owner: IntArray) -> Tracks:
    """Return the tracks with the labels of objects that are in more than one mask.

    Parameters
    ----------
    tracks : Tracks
        Of the objects.
    table : DataFrame
        One row a mask, ``frame label``.
    owner : ndarray of shape (n,)
        Object of each.
    """
    if len(np.unique(owner)) == len(owner):
        return tracks
    masks = table[["frame", "label"]].assign(owner=owner)
    some = masks[masks.duplicated("owner", keep=False)]
    texts = some.groupby("owner").label.agg(lambda values: ";".join(map(str, values)))
    named = dict(zip(zip(some.frame, some.label, strict=True), some.owner.map(texts), strict=True))
    rows = zip(tracks.table.frame, tracks.table.label, strict=True)
    return replace(
        tracks, table=tracks.table.assign(fragments=[named.get(row, "") for row in rows])
    )


def _joined(table: pd.DataFrame, group: IntArray) -> pd.DataFrame:
    """Return one row per group: its box, area, centre and mean intensity; the largest's label."""
    area = table["area_um2"].to_numpy()
    largest = np.lexsort((-area, group))[np.unique(np.sort(group), return_index=True)[1]]
    whole = table.iloc[largest].reset_index(drop=True)
    total = np.bincount(group, area)
    for name in {"y_um", "x_um", "intensity"} & set(table):
        whole[name] = np.bincount(group, area * table[name]) / total
    for place, size in (("y_um", "height_um"), ("x_um", "width_um")):
        half = table[size] / 2
        high = (table[place] + half).groupby(group).max()
        low = (table[place] - half).groupby(group).min()
        whole[size] = (high - low).to_numpy()
    whole["area_um2"] = total
    return whole
