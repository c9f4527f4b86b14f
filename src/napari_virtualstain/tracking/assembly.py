"""Assembly of tracks from linked detections: events, gaps, track ids, table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..settings import JoinTuning
from .detections import Detections, FloatArray, IntArray
from .events.candidates import Event, LinkedMovie, cut_at_events, find_events, place_of
from .events.clumps import untangle_clumps
from .events.persistence import lasting_events
from .linking.result import Linking
from .linking.stitching import stitch
from .motion_models.smoothing import fill_gaps
from .tracking_config import TrackingConfig
from .tracks import Tracks


def assemble(
    linked: Linking, config: TrackingConfig, pixel_size_um: float, frame_interval_s: float
) -> Tracks:
    """Return the tracks of linked detections.

    Parameters
    ----------
    linked : Linking
        Detections, their tracks and how sure each link is.
    config : TrackingConfig
        Settings.
    pixel_size_um, frame_interval_s : float
        Scale of the movie.
    """
    found = linked.detections
    movie = LinkedMovie.of(linked, config.tuning)
    track_ids = linked.track_ids
    graph: dict[int, list[int]] = {}
    families: list[tuple[Event, list[int], list[int]]] = []
    if config.fission_fusion:
        track_ids, events = untangle_clumps(movie, find_events(movie))
        movie = movie.with_track_ids(track_ids)
        events, _, _ = lasting_events(movie, events, linked.lifetimes)
        track_ids, graph, families = cut_at_events(movie, events)
    kin = frozenset(graph) | {parent for parents in graph.values() for parent in parents}
    if config.linker == "kalman" and config.mode == "extended":
        track_ids, chance = stitch(
            found,
            track_ids,
            max_gap=config.max_gap,
            step_um=linked.step_um,
            search_radius_um=config.search_radius_um,
            kin=kin,
            tuning=config.tuning.joins,
        )
        linked = _with_joins(linked, chance, config.tuning.joins)
    keep = _long_enough(found, track_ids, kin, config)
    table = _table(linked, track_ids)[keep]
    if config.fill_gaps and len(table):
        table = fill_gaps(table, found.frame_step, config.tuning.gaps)
    old = np.sort(table.track_id.unique())
    new = {int(name): i + 1 for i, name in enumerate(old)}
    table["track_id"] = table.track_id.map(new)
    rows = [_event_row(movie, *family, frame_interval_s) for family in families]
    renamed = {
        new[child]: [new[parent] for parent in parents if parent in new]
        for child, parents in graph.items()
        if child in new
    }
    return Tracks.from_table(
        table,
        renamed,
        pd.DataFrame([_rename(row, new) for row in rows]) if rows else None,
        pixel_size_um=pixel_size_um,
        frame_interval_s=frame_interval_s,
    )


def _with_joins(linked: Linking, chance: FloatArray, tuning: JoinTuning) -> Linking:
    """Return the linking with what joined tracks say about themselves."""
    here = np.isfinite(chance)
    least = min(tuning.least_quality, tuning.sure_quality)
    of_joins = np.maximum(tuning.sure_quality - tuning.quality_loss * chance, least)
    quality = np.where(here, of_joins, linked.quality)
    reason = np.where(here, "jump", linked.reason)
    return replace(linked, quality=quality, reason=reason)


def _long_enough(
    found: Detections, track_ids: IntArray, kin: frozenset[int], config: TrackingConfig
) -> np.ndarray:
    """Return which detections are in tracks of sufficient length.

    Without a least length, single detections count as false alarms where the movie is long
    enough to tell, unless they are `kin`: take part in a fission or fusion.
    """
    if len(track_ids) == 0:
        return np.zeros(0, bool)
    least = config.min_length
    if least is None:
        frames = len(np.unique(found.frame))
        least = 2 if frames >= config.tuning.false_alarm_frames else 1
    _, inverse, counts = np.unique(track_ids, return_inverse=True, return_counts=True)
    return np.asarray((counts[inverse] >= least) | np.isin(track_ids, sorted(kin)))


def _table(linked: Linking, track_ids: IntArray) -> pd.DataFrame:
    found = linked.detections
    return pd.DataFrame(
        {
            **found.columns(track_ids),
            "quality": linked.quality,
            "reason": linked.reason,
        }
    )


def _event_row(
    movie: LinkedMovie,
    event: Event,
    parents: list[int],
    children: list[int],
    frame_interval_s: float,
) -> dict[str, object]:
    """Return one row of the events table; the frame is the first of the children."""
    after = event.daughters[0] if event.kind == "fission" else event.parent
    y, x = place_of(movie, event)
    frame = int(movie.detections.frame[after])
    return {
        "kind": event.kind,
        "frame": frame,
        "time_s": frame * frame_interval_s,
        "y_um": y,
        "x_um": x,
        "probability": event.probability,
        "parents": parents,
        "children": children,
    }


def _rename(row: dict[str, object], new: dict[int, int]) -> dict[str, object]:
    for side in ("parents", "children"):
        track_ids = row[side]
        if isinstance(track_ids, list):
            row[side] = ";".join(str(new[name]) for name in sorted(track_ids) if name in new)
    return row
