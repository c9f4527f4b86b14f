"""Linking of detections to tracks: the function `link` and its passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import InputError, check_choice, check_kind
from ..progress import CancelToken, ProgressCallback, Reporter
from ..settings import LINKERS, LinkTuning, settings_beside
from .assembly import assemble
from .detections import (
    Detections,
    IntArray,
    check_scale,
    check_search_radius,
    check_whole,
    read_detections,
)
from .linking.appearance import learn_appearance
from .linking.extended import MixtureFollower
from .linking.link_quality import LinkEvidence, quality, reasons
from .linking.noise import model_from_step, refined_model, typical_step_um, usable_step_um
from .linking.online import Follower, OnlineLinker
from .linking.paper import BoxFollower, BoxNoise, box_noise, boxes
from .linking.result import Linking
from .linking.with_trackpy import link_with_trackpy
from .mask_pixels import MaskPixels
from .motion_models.two_sided import neighbours_in_track, states_along
from .tracking_config import TrackingConfig
from .tracks import Tracks


def link(
    detections: pd.DataFrame,
    *,
    frame_interval_s: float = 1.0,
    search_radius_um: float | None = None,
    max_gap: int = 3,
    mode: str = "extended",
    config: TrackingConfig | None = None,
    pixel_size_um: float = 1.0,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Tracks:
    """Return the tracks of detected positions.

    Parameters
    ----------
    detections : DataFrame
        ``frame y_um x_um`` and where known ``height_um width_um area_um2 intensity``; one
        row a detection, in any order.
    frame_interval_s : float
        Seconds from frame to frame.
    search_radius_um : float or None
        Farthest that an object goes in one frame; None estimates it from the movie.
    max_gap : int
        Frames in a row that an object may be missing and still keep its identity.
    mode : {"extended", "paper"}
        ``paper`` is eq. 1 as published.
    config : TrackingConfig, optional
        All settings; the three above must not contradict it.
    pixel_size_um : float
        Used for the columns in pixels.
    progress, cancel : callable, CancelToken
        See :mod:`napari_virtualstain.progress`.

    Returns
    -------
    Tracks

    Raises
    ------
    InputError
        A column is missing or holds no finite numbers, a setting is impossible, or contradicts
        `config`.

    Examples
    --------
    >>> seen = pd.DataFrame({"frame": [0, 1, 2], "y_um": 5.0, "x_um": [1.0, 1.2, 1.4]})
    >>> link(seen, search_radius_um=1.0).table.track_id.tolist()
    [1, 1, 1]
    """
    settings = _settings(mode, search_radius_um, max_gap)
    if config is not None:
        given = {"mode": mode, "search_radius_um": search_radius_um, "max_gap": max_gap}
        check_kind(config, TrackingConfig, "config", "a TrackingConfig")
        settings = settings_beside(config, **given)
    if settings.linker not in LINKERS:
        raise InputError(
            f"The linker {settings.linker!r} is an add-on, which tracks labels: expected kalman or "
            "trackpy for a table of detections."
        )
    check_scale(pixel_size_um, frame_interval_s)
    found = read_detections(detections)
    steps = rounds(settings) * len(found.slices())
    report = Reporter(steps, "step", "linking", progress, cancel)
    linked = link_detections(found, settings, report=report)
    tracks = assemble(linked, settings, pixel_size_um, frame_interval_s)
    report.finish()
    return tracks


def _settings(mode: str, search_radius_um: float | None, max_gap: int) -> TrackingConfig:
    check_choice(mode, ("extended", "paper"), "mode")
    return TrackingConfig(
        mode=mode,  # type: ignore[arg-type]
        search_radius_um=check_search_radius(search_radius_um),
        max_gap=check_whole(max_gap, "max_gap"),
    )


def rounds(config: TrackingConfig) -> int:
    """Return how often :func:`link_detections` reports each frame."""
    if config.linker == "trackpy":
        return 0
    return 1 if config.mode == "paper" else 2


def link_detections(
    detections: Detections,
    config: TrackingConfig,
    masks: MaskPixels | None = None,
    *,
    report: Reporter | None = None,
) -> Linking:
    """Return the linked detections, in the mode that `config` asks for."""
    report = report or Reporter(None)
    if config.linker == "trackpy":
        return link_with_trackpy(detections, config, masks)
    step, tuning = typical_step_um(detections), config.tuning
    if config.mode == "paper":
        follower = BoxFollower(_paper_noise(detections, config, step), config.gate_probability)
        track_ids, first = push_all(follower, detections, config, report)
        return _judged(detections, track_ids, first, track_ids, first, step, masks, tuning.links)
    return _link_extended(detections, config, step, masks, report)


def _link_extended(
    detections: Detections,
    config: TrackingConfig,
    step_um: float,
    masks: MaskPixels | None,
    report: Reporter,
) -> Linking:
    """Link forwards, learn from that, and link again with the future in view."""
    tuning = config.tuning
    usable = usable_step_um(step_um, config.search_radius_um, tuning.motion)
    model = model_from_step(usable, tuning)
    before, first = push_all(MixtureFollower(model), detections, config, report)
    if len(detections.slices()) < 3:
        return _judged(detections, before, first, before, first, step_um, masks, tuning.links)
    model = refined_model(model, detections, before, tuning.motion)
    if detections.features.shape[1] or masks is not None:
        sure = first.probability > tuning.links.sure_probability
        appearance = learn_appearance(detections, before, sure, masks, tuning.links)
        model = replace(model, appearance=appearance)
    back = states_along(detections, before, model.mixture, backwards=True)
    follower = MixtureFollower(model, back)
    track_ids, last = push_all(follower, detections, config, report)
    return _judged(detections, before, first, track_ids, last, step_um, masks, tuning.links)


def push_all(
    follower: Follower, detections: Detections, config: TrackingConfig, report: Reporter
) -> tuple[IntArray, LinkEvidence]:
    """Return track numbers and evidence after pushing every frame."""
    belief = config.tuning.links.probability_rounds
    linker = OnlineLinker(follower, config.max_gap, config.search_radius_um, belief)
    track_ids = np.zeros(len(detections), np.int64)
    evidence = LinkEvidence.empty(len(detections))
    step = detections.frame_step
    for frame, part in detections.slices():
        track_ids[part] = linker.push(frame // step, detections.frame_part(part))
        if linker.evidence is not None:
            evidence.probability[part] = linker.evidence.probability
            evidence.log_ratio[part] = linker.evidence.log_ratio
            evidence.missed[part] = linker.evidence.missed
        report.advance()
    return track_ids, evidence


def _judged(
    detections: Detections,
    before: IntArray,
    first: LinkEvidence,
    track_ids: IntArray,
    last: LinkEvidence,
    step_um: float,
    masks: MaskPixels | None,
    tuning: LinkTuning,
) -> Linking:
    """Return the linking with the quality of each link."""
    previous = neighbours_in_track(track_ids)
    begins = previous < 0
    agree = previous == neighbours_in_track(before)
    good = quality(first, last, agree, begins, tuning)
    if len(detections):
        good[detections.frame == detections.frame.min()] = 1.0
    why = reasons(good, last, agree, begins, tuning)
    return Linking(detections, in_order(track_ids), good, why, step_um, masks)


def in_order(track_ids: IntArray) -> IntArray:
    """Return track ids from 1 in order of first appearance.

    Examples
    --------
    >>> in_order(np.array([7, 3, 7]))
    array([1, 2, 1])
    """
    _, first, inverse = np.unique(track_ids, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[inverse] if len(track_ids) else track_ids


def _paper_noise(detections: Detections, config: TrackingConfig, step_um: float) -> BoxNoise:
    tuning = config.tuning
    step = usable_step_um(step_um, config.search_radius_um, tuning.motion)
    area = float(np.median(boxes(detections)[:, 2])) if len(detections) else 1.0
    return box_noise(step, area, tuning.paper)
