"""Both sides of the numbers that decide about links, joins, clumps and events."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from napari_virtualstain.settings import (
    LinkTuning,
    MotionTuning,
    PaperTuning,
    PersistenceTuning,
    PipelineSettings,
    Settings,
    TrackTuning,
)
from napari_virtualstain.tracking.linking.noise import (
    usable_step_um,
)

from .event_measures import (
    calibrated,
    candidates_from,
    divided,
    fitted_exponent,
    found_again,
    hopeful,
    in_class,
    near_daughters,
    odds_by_appearance,
    parted,
    partings,
    real_changes,
    significant,
    sure_links,
    told_by_size,
    touching_share,
    tried,
)
from .link_measures import (
    RESTING,
    STRAIGHT,
    Measure,
    appearance_at_most,
    both_sides,
    cost_of,
    cost_of_box,
    count,
    filled_place,
    jumps_linked,
    learned_from,
    live_step,
    lone_detection_kept,
    overlap_class,
    planes_joined,
    quality_of_join,
    quality_of_link,
    refined,
    rival_links,
    said,
    useful_features,
)


def scaled(group: str, name: str, share: float = 0.1) -> tuple[Any, Any]:
    """Return a number a tenth below its default, or one for whole numbers, and as much above."""
    value = getattr(getattr(TrackTuning(), group), name)
    if isinstance(value, int):
        return value - 1, value + 1
    return tuple(sorted((value * (1 - share), value * (1 + share))))


def nearby(values: tuple[Any, ...], *place: int) -> tuple[Any, Any]:
    """Return the values with the one at `place` a tenth smaller, and larger."""
    if len(place) > 1:
        low, high = nearby(values[place[0]], *place[1:])
    else:
        low, high = sorted((0.9 * values[place[0]], 1.1 * values[place[0]]))
    before, after = values[: place[0]], values[place[0] + 1 :]
    return (*before, low, *after), (*before, high, *after)


def each(group: str, name: str, measure: Measure) -> list[tuple[str, Measure, Any, Any]]:
    """Return a row for each value of a number that has several."""
    values = getattr(getattr(TrackTuning(), group), name)
    return [(f"{group}.{name}", measure, *nearby(values, k)) for k in range(len(values))]


# number that decides; measure of what it decides; a value below and above the default
TABLE: list[tuple[str, Measure, Any, Any]] = [
    ("motion.turn_share", cost_of(STRAIGHT, 21.0), 0.009, 0.011),
    ("motion.stay_probability", cost_of(STRAIGHT, 24.3), 0.965, 0.975),
    ("motion.motions", cost_of(STRAIGHT, 30.0), *nearby(MotionTuning().motions, 9, 1)),
    ("motion.transition_weight", refined(lambda m: m.transition[0, 0]), 1.9, 2.1),
    ("motion.idle_share", refined(lambda m: len(m.prior)), 0.002, 0.05),
    ("motion.noise_shares", cost_of(RESTING, 0.4), (0.09, 0.01), (0.11, 0.01)),
    ("motion.new_log_density", cost_of(RESTING, 0.1), -12.1, -11.9),
    ("motion.missed_log_probability", cost_of(RESTING, 0.1, missed=2), -2.1, -1.9),
    ("motion.reach_in_steps", jumps_linked, 7.8, 8.2),
    ("motion.radius_in_steps", lambda t: usable_step_um(0.0, 1.0, t.motion), 3.9, 4.1),
    ("motion.live_frames", live_step, 19, 21),
    ("links.hopeless_log_ratio", both_sides, 1.8, 2.2),
    ("links.appearance_least_links", learned_from, 29, 31),
    ("links.appearance_gain", useful_features, 0.78, 0.82),
    ("links.appearance_cap", appearance_at_most, 2.9, 3.1),
    (
        "links.overlap_classes",
        lambda t: overlap_class(0.38)(t) + overlap_class(0.41)(t),
        *nearby(LinkTuning().overlap_classes, 3),
    ),
    ("links.probability_rounds", rival_links, 4, 6),
    ("links.sure_probability", sure_links, 0.8, 0.95),
    *each("links", "quality_weights", quality_of_link),
    ("links.quality_bias", quality_of_link, 0.27, 0.3),
    ("links.doubtful_quality", count(said(0.89, missed=1), said(0.91, missed=1)), 0.88, 0.92),
    (
        "links.rival_probability",
        count(said(0.5, probability=0.89), said(0.5, probability=0.91)),
        0.88,
        0.92,
    ),
    (
        "links.unusual_log_ratio",
        count(said(0.5, log_ratio=3.9), said(0.5, log_ratio=4.1)),
        3.8,
        4.2,
    ),
    *[(f"paper.{name}", cost_of_box, *scaled("paper", name)) for name in PaperTuning.model_fields],
    ("gaps.side_detections", filled_place(0.5), 3, 5),
    ("gaps.diffusion_weight", filled_place(0.2), 1.9, 2.1),
    ("gaps.largest_persistence", filled_place(1e-3), 0.97, 0.985),
    ("gaps.position_variance", filled_place(0.5), 0.045, 0.055),
    ("joins.sure_quality", quality_of_join(0.0), 0.78, 0.82),
    ("joins.quality_loss", quality_of_join(0.01), 7.8, 8.2),
    ("joins.least_quality", quality_of_join(1.0), 0.38, 0.42),
    ("events.prior_log_odds", parted("none"), -1.0, -0.8),
    ("events.least_probability", candidates_from, 0.498, 0.502),
    ("events.reach_in_radii", near_daughters, 2.4, 2.6),
    ("events.reach_in_steps", near_daughters, 2.4, 3.6),
    ("events.split_area_spread", parted("none"), 0.24, 0.26),
    ("events.area_log_spread", partings, 0.38, 0.42),
    ("events.centre_in_radii", parted("none", goes_on=False), 0.24, 0.26),
    ("events.both_new_log_odds", parted("none", goes_on=False), 1.9, 2.1),
    ("events.near_log_odds", parted("none"), 1.4, 1.6),
    ("events.least_log_odds", parted("far", goes_on=False), -6.2, -5.8),
    ("events.most_place_log_odds", parted("exact"), 3.9, 4.1),
    ("events.largest_misfit", parted("misfit"), 7.9, 8.1),
    *[
        row
        for k, kind in ((1, "tenth"), (2, "third"), (3, "most"))
        for row in (each("events", "overlap_shares", parted(kind))[k],)
    ],
    *[
        row
        for k, kind in enumerate(("none of it", "tenth", "third", "most", "inside"))
        for row in (each("events", "overlap_log_odds", parted(kind))[k],)
    ],
    *each("events", "probability_weights", calibrated(0.8, 0.9, 0.7, 0.1)),
    *each("events", "probability_least", calibrated(1e-4, 1e-4, 1e-2, -9.0)),
    *each("events", "probability_most", calibrated(0.9999, 0.9999, 0.99, 9.0)),
    ("events.outside_log_odds", parted("border"), -4.1, -3.9),
    ("events.growth_in_radii", parted("growing"), 0.2, 0.42),
    ("events.probability_bias", calibrated(0.8, 0.9, 0.7, 0.1), -4.0, -3.8),
    ("events.watched_frames", touching_share((11, 20)), 7, 9),
    (
        "events.touching_px",
        lambda t: touching_share((11, 20))(t) + touching_share((12, 21))(t),
        1.9,
        3,
    ),
    ("events.clump_size_variance", told_by_size, 0.036, 0.044),
    ("events.clump_steps", told_by_size, 3.8, 4.2),
    ("divisions.significance", significant, 0.5, 1.6),
    ("divisions.reach_in_steps", tried, 20.0, 30.0),
    ("divisions.nearest", tried, 5, 7),
    ("divisions.lasting_frames", tried, 2, 4),
    ("divisions.lost_share", found_again, 0.45, 0.55),
    ("divisions.lost_frames", found_again, 3, 5),
    ("divisions.lost_reach_in_steps", found_again, 11.8, 12.2),
    ("divisions.hopeless_log_odds", hopeful, -11.0, -9.0),
    ("divisions.largest_middle_spread", hopeful, 2.7, 3.3),
    ("divisions.appearance_cap", odds_by_appearance, 3.9, 4.1),
    *[
        (f"divisions.{name}", divided, *scaled("divisions", name))
        for name in (
            "late_frames",
            "step_tail",
            "prior_rate",
            "middle_variance",
            "apart_in_steps",
            "apart_log_spread",
            "apart_log_variance",
            "prior_divisions",
        )
    ],
    *[
        (f"persistence.{name}", real_changes, *scaled("persistence", name))
        for name in PersistenceTuning.model_fields
    ],
    (
        "motion_classes.directed_exponent",
        count(in_class("directed", 1.34), in_class("directed", 1.36)),
        1.33,
        1.37,
    ),
    (
        "motion_classes.confined_exponent",
        count(in_class("confined", 0.64), in_class("confined", 0.66)),
        0.63,
        0.67,
    ),
    (
        "motion_classes.least_positions",
        count(in_class("diffusive", 1.0, 7), in_class("diffusive", 1.0, 8)),
        7,
        9,
    ),
    ("motion_classes.lag_part", fitted_exponent, 2, 4),
    ("false_alarm_frames", count(lone_detection_kept(4), lone_detection_kept(5)), 4, 6),
    ("same_object_share", planes_joined, 0.45, 0.55),
]

# numbers whose both sides are tested by what they do in test_tuning.py
ELSEWHERE = {
    "joins.least_length",
    "joins.chance",
    "joins.chance_sized",
    "joins.longest_steps",
    "joins.size_change",
    "events.clump_frames",
    "events.clump_size_tolerance",
    "events.least_listed_probability",
    "events.fragment_rounds",
}


def tuned(name: str, value: Any) -> TrackTuning:
    """Return the defaults with one number replaced, checked as a settings file's are."""
    group, _, field = name.rpartition(".")
    return TrackTuning.model_validate({group: {field: value}} if group else {field: value})


@pytest.mark.parametrize(
    ("name", "measure", "low", "high"), TABLE, ids=[f"{row[0]}-{k}" for k, row in enumerate(TABLE)]
)
def test_each_number_decides_below_and_above_its_default(
    name: str, measure: Measure, low: Any, high: Any
) -> None:
    below, usual, above = (
        measure(tuning) for tuning in (tuned(name, low), TrackTuning(), tuned(name, high))
    )
    assert np.isfinite([below, usual, above]).all()
    assert below < usual < above or below > usual > above


def numbers(settings: type[Settings] = TrackTuning, before: str = "") -> set[str]:
    """Return the names of all numbers, those of groups as ``group.name``."""
    names = set()
    for name, info in settings.model_fields.items():
        group = info.get_default(call_default_factory=True)
        names |= (
            numbers(type(group), f"{name}.") if isinstance(group, Settings) else {before + name}
        )
    return names


def test_the_table_holds_every_number() -> None:
    assert {row[0] for row in TABLE} | ELSEWHERE == numbers()
    assert {row[0] for row in TABLE} & ELSEWHERE == set()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("joins.chance", -1),
        ("events.clump_frames", 1.5),
        ("events.least_listed_probability", 1.1),
        ("events.overlap_shares", (0.0, 1.0)),
        ("events.overlap_shares", (0.0, 0.1, 0.6, 0.3, 1.0)),
        ("links.overlap_classes", (0.5, 0.5)),
        ("motion.turn_share", 0.0),
        ("motion.motions", ((0.0, 1.0, 1.0), (0.0, 1.0, 0.0), (1.0, 1.0, 1.0))),
        ("motion.noise_shares", (0.1, 0.0)),
        ("events.event_log_odds", 1.0),
    ],
)
def test_impossible_numbers_are_refused(name: str, wrong: Any) -> None:
    with pytest.raises(ValidationError):
        tuned(name, wrong)


def test_a_settings_file_reaches_each_number() -> None:
    content = PipelineSettings().model_dump(mode="json")
    content["track"]["tuning"]["motion"]["turn_share"] = 0.05
    content["track"]["tuning"]["events"]["overlap_log_odds"][0] = -5.0
    tuning = PipelineSettings.model_validate_json(json.dumps(content)).track.tuning
    assert tuning.motion.turn_share == 0.05
    assert tuning.events.overlap_log_odds == (-5.0, -1.5, 0.5, 1.5, 2.0)
    assert tuning.links == TrackTuning().links
