"""Both sides of the numbers that decide about links, joins, clumps and events."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.special import logit

from napari_virtualstain.settings import (
    LinkTuning,
    MotionTuning,
    PaperTuning,
    PersistenceTuning,
    PipelineSettings,
    Settings,
    TrackTuning,
)
from napari_virtualstain.tracking import (
    LiveTracker,
    TrackingConfig,
    Tracks,
    analyse_motion,
    project_labels,
)
from napari_virtualstain.tracking import link_detections as linking_module
from napari_virtualstain.tracking.assembly import _long_enough, _with_joins
from napari_virtualstain.tracking.detections import Detections, read_detections
from napari_virtualstain.tracking.events.candidates import (
    Event,
    LinkedMovie,
    _log_odds,
    _nearby,
    _partings,
    _splits,
)
from napari_virtualstain.tracking.events.clumps import untangle_clumps
from napari_virtualstain.tracking.events.division import (
    DivisionModel,
    Evidence,
    Triples,
    _candidates,
    _hopeful,
    _Links,
    divisions,
)
from napari_virtualstain.tracking.events.division import _log_odds as odds_of_division
from napari_virtualstain.tracking.events.event_probability import event_probability
from napari_virtualstain.tracking.events.lifetimes import Changes, learn_lifetimes
from napari_virtualstain.tracking.events.persistence import _Tracks
from napari_virtualstain.tracking.link_detections import link_detections
from napari_virtualstain.tracking.linking.appearance import Appearance, learn_appearance
from napari_virtualstain.tracking.linking.extended import MixtureFollower
from napari_virtualstain.tracking.linking.link_quality import (
    LinkEvidence,
    link_probabilities,
    quality,
    reasons,
)
from napari_virtualstain.tracking.linking.noise import (
    model_from_step,
    refined_model,
    usable_step_um,
)
from napari_virtualstain.tracking.linking.online import OnlineLinker
from napari_virtualstain.tracking.linking.paper import BoxFollower, box_noise
from napari_virtualstain.tracking.linking.result import Linking
from napari_virtualstain.tracking.mask_pixels import MaskPixels
from napari_virtualstain.tracking.motion_analysis import _class
from napari_virtualstain.tracking.motion_models.mixture import MotionMixture
from napari_virtualstain.tracking.motion_models.smoothing import fill_gaps

Measure: TypeAlias = Callable[[TrackTuning], float]


def one_object(places: list[float], tuning: TrackTuning) -> MixtureFollower:
    """Return the filters of an object that was seen at these places, one a frame."""
    follower = MixtureFollower(model_from_step(1.0, tuning))
    for k, x in enumerate(places):
        seen = at(x)
        if k:
            follower.advance()
            follower.correct(np.zeros(1, int), np.zeros(1, int), seen)
        else:
            follower.add(np.zeros(1, int), seen)
    follower.advance()
    return follower


def at(*x_um: float, frame: int = 0) -> Detections:
    """Return detections in a row."""
    return read_detections(pd.DataFrame({"frame": frame, "y_um": 0.0, "x_um": list(x_um)}))


def cost_of(places: list[float], goes_to: float, missed: int = 0) -> Measure:
    """Return the measure of what a link costs."""
    one = np.zeros(1, int)

    def measure(tuning: TrackTuning) -> float:
        follower = one_object(places, tuning)
        return float(follower.costs(one, one, at(goes_to), one + missed)[0])

    return measure


STRAIGHT, RESTING = [3.0 * k for k in range(9)], [0.0, 0.2, -0.1, 0.1, 0.0, -0.2, 0.1]


def walks(count: int = 30, frames: int = 20, seed: int = 0) -> pd.DataFrame:
    """Return random walks of steps of 1 µm, and driven objects, with their ``track``."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 1, (frames, count, 2))
    steps[:, : count // 3] = 0.2 * steps[:, : count // 3] + [2.0, 0.0]
    place = rng.uniform(0, 200, (count, 2)) + steps.cumsum(0)
    frame, track = np.indices(place.shape[:2])
    columns = {"frame": frame, "track": track, "y_um": place[..., 0], "x_um": place[..., 1]}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def refined(value: Callable[[MotionMixture], float]) -> Measure:
    """Return a measure of the model after a first linking."""
    table = walks()
    found, ids = read_detections(table), table.track.to_numpy()

    def measure(tuning: TrackTuning) -> float:
        model = refined_model(model_from_step(1.0, tuning), found, ids, tuning.motion)
        return value(model.mixture)

    return measure


def jumps_linked(tuning: TrackTuning) -> float:
    """Return how many of two lone objects are linked that jump by 7.9 and 8.1 steps."""
    numbers = tuning.motion.model_copy(update={"new_log_density": -40.0})
    tuning = tuning.model_copy(update={"motion": numbers})
    return float(sum(jump_is_linked(jump, tuning) for jump in (7.9, 8.1)))


def jump_is_linked(jump: float, tuning: TrackTuning) -> bool:
    linker = OnlineLinker(MixtureFollower(model_from_step(1.0, tuning)))
    return bool(linker.push(0, at(0.0))[0] == linker.push(1, at(jump, frame=1))[0])


def live_step(tuning: TrackTuning) -> float:
    """Return the step that live tracking has estimated of an object that speeds up."""
    live = LiveTracker(config=TrackingConfig(tuning=tuning))
    for frame in range(24):
        live.push(pd.DataFrame({"frame": frame, "y_um": [0.0], "x_um": [0.05 * frame**2]}))
    return float(live._step_um or 0.0)


def both_sides(tuning: TrackTuning) -> float:
    """Return how many of two links are judged from both sides, 1.9 and 2.1 below a new track."""
    follower = one_object(RESTING, tuning)
    follower.future = follower.state
    pair = np.zeros(2, int)
    below = follower.model.log_new - np.array([1.9, 2.1])
    return float(np.isfinite(follower._from_both_sides(below, pair, pair, at(0.0))).sum())


def learned_from(tuning: TrackTuning) -> float:
    """Return of how many movies, of 29 and of 30 links, appearance is learned."""
    movies = [pd.DataFrame({"frame": range(n + 1), "area_um2": 1.0}) for n in (29, 30)]
    found = [read_detections(movie.assign(y_um=0.0, x_um=0.0)) for movie in movies]
    learned = [
        learn_appearance(
            some, np.ones(len(some), int), np.ones(len(some), bool), None, tuning.links
        )
        for some in found
    ]
    return float(sum(one is not None for one in learned))


def useful_features(tuning: TrackTuning) -> float:
    """Return how many of two features count whose spread on links is 0.79 and 0.81 of any."""
    one, other = np.zeros((1, 1)), np.full((1, 1), 3.0)
    some = [
        Appearance(np.array([spread]), np.ones(1), tuning=tuning.links) for spread in (0.79, 0.81)
    ]
    return float(sum(appearance.log_ratio(one, other)[0] != 0 for appearance in some))


def appearance_at_most(tuning: TrackTuning) -> float:
    appearance = Appearance(np.full(1, 1e-3), np.full(1, 10.0), tuning=tuning.links)
    return float(appearance.log_ratio(np.zeros((1, 1)), np.zeros((1, 1)))[0])


def overlap_class(overlap: float) -> Measure:
    """Return the measure of the class of an overlap."""

    class Masks:
        def overlap(self, *_: Any) -> np.ndarray:
            return np.array([overlap])

    def measure(tuning: TrackTuning) -> float:
        masks: Any = Masks()
        one = np.zeros(1)
        appearance = Appearance(one, one, np.arange(8.0), masks, tuning.links)
        pair = np.zeros(1, int)
        return float(appearance.log_overlap_ratio(pair, np.zeros((1, 2)), pair, at(0.0), pair)[0])

    return measure


def rival_links(tuning: TrackTuning) -> float:
    """Return the probability of a link among rivals in a circle."""
    rows, columns = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    ratios = np.array([2.0, 1.0, 0.5, 1.5])
    return float(
        link_probabilities(rows, columns, ratios, (2, 2), tuning.links.probability_rounds)[0][0]
    )


def evidence(**numbers: float) -> LinkEvidence:
    given = {"probability": 0.5, "log_ratio": 9.0, "missed": 1} | numbers
    return LinkEvidence(
        *(np.atleast_1d(given[name]) for name in ("probability", "log_ratio", "missed"))
    )


def quality_of_link(tuning: TrackTuning) -> float:
    yes = np.ones(1, bool)
    first, last = evidence(probability=0.8), evidence(probability=0.7)
    return float(quality(first, last, yes, ~yes, tuning.links)[0])


def said(good: float, **numbers: float) -> Callable[[TrackTuning], bool]:
    """Return whether a reason is given for a link."""
    yes = np.ones(1, bool)

    def says(tuning: TrackTuning) -> bool:
        given = {"missed": 0, "probability": 0.99, "log_ratio": 9.0} | numbers
        text = reasons(np.array([good]), evidence(**given), yes, ~yes, tuning.links)[0]
        return bool(text)

    return says


def count(*outcomes: Callable[[TrackTuning], bool]) -> Measure:
    """Return the measure of how many outcomes are so."""
    return lambda tuning: float(sum(outcome(tuning) for outcome in outcomes))


def cost_of_box(tuning: TrackTuning) -> float:
    """Return what the paper's method charges for a box that goes on, larger and rounder."""
    follower = BoxFollower(box_noise(1.0, 2.0, tuning.paper))
    one = np.zeros(1, int)
    for frame, size in enumerate((1.0, 1.2, 1.1)):
        box = {"frame": frame, "y_um": [0.0], "x_um": [1.5 * frame], "height_um": 1.0}
        seen = read_detections(pd.DataFrame(box | {"width_um": 2.0 * size}))
        if frame == 2:
            return float(follower.costs(one, one, seen, one)[0])
        if frame:
            follower.correct(one, one, seen)
        else:
            follower.add(one, seen)
        follower.advance()
    raise AssertionError


def filled_place(bend: float) -> Measure:
    """Return the measure of where a gap in a track that bends is filled."""
    frame = np.array([0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13])
    wave = bend * np.sin(1.3 * frame)
    table = pd.DataFrame({"track_id": 1, "frame": frame, "y_um": wave, "x_um": frame + wave**2})

    def measure(tuning: TrackTuning) -> float:
        filled = fill_gaps(table.assign(interpolated=False), 1, tuning.gaps)
        return float(
            filled.loc[filled.interpolated, ["y_um", "x_um"]].to_numpy() @ [1.0, 0.3] @ [1, 2]
        )

    return measure


def quality_of_join(chance: float) -> Measure:
    one = np.ones(1)
    linked = Linking(at(0.0), one.astype(int), one, np.array([""], object), 1.0)
    return lambda tuning: float(_with_joins(linked, np.array([chance]), tuning.joins).quality[0])


def lone_detection_kept(frames: int) -> Callable[[TrackTuning], bool]:
    """Return whether a lone detection is kept in a movie of so many frames."""
    table = pd.DataFrame(
        {"frame": [*range(frames), 0], "y_um": 0.0, "x_um": [0.0] * frames + [9.0]}
    )
    ids = np.where(read_detections(table).position_um[:, 1] > 5, 2, 1)

    def kept(tuning: TrackTuning) -> bool:
        config = TrackingConfig(tuning=tuning)
        return bool(_long_enough(read_detections(table), ids, frozenset(), config).all())

    return kept


def planes_joined(tuning: TrackTuning) -> float:
    """Return how many objects masks of three planes are that share 52 and 48 of 100 pixels."""
    labels = np.zeros((1, 3, 1, 300), int)
    labels[0, 0, 0, :100] = labels[0, 1, 0, 48:148] = labels[0, 2, 0, 100:200] = 1
    return float(project_labels(labels, "max", tuning.same_object_share).max())


PARTED: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[int, int] | None]] = {
    # places and areas of the daughters of 4 µm² at 0, and pixels of the second one
    "none": ((-0.5, 1.1), (1.7, 1.6), None),
    "exact": ((-1.2, 1.2), (2.0, 2.0), None),
    "misfit": ((-0.5, 1.1), (0.8, 3.2), None),
    "far": ((-0.5, 1.1), (0.2, 0.2), None),
    "border": ((-0.5, 1.1), (1.7, 1.6), (24, 44)),
    "inside": ((-0.5, 1.1), (1.7, 1.6), (20, 40)),
    "growing": ((-0.5, 1.1), (1.7, 1.6), (26, 46)),
    "most": ((-0.5, 1.1), (1.7, 1.6), (28, 48)),
    "third": ((-0.5, 1.1), (1.7, 1.6), (36, 56)),
    "tenth": ((-0.5, 1.1), (1.7, 1.6), (41, 61)),
    "none of it": ((-0.5, 1.1), (1.7, 1.6), (60, 80)),
}


def parted(kind: str, goes_on: bool = True) -> Measure:
    """Return the measure of the log odds that a mitochondrion divided."""
    places, areas, pixels = PARTED[kind]
    table = pd.DataFrame({"frame": [0, 1, 1], "x_um": [0.0, *places], "area_um2": [4.0, *areas]})
    found = read_detections(table.assign(y_um=0.0))
    masks = strips([(0, 40), (0, 18), pixels], at_border=kind == "border") if pixels else None

    def measure(tuning: TrackTuning) -> float:
        movie = LinkedMovie(found, np.array([1, 1, 2]), masks, 0.1, tuning)
        return _log_odds(movie, 0, (1, 2), goes_on)

    return measure


def strips(columns: list[tuple[int, int]], at_border: bool = False) -> MaskPixels:
    """Return masks of one row of pixels of 0.1 µm."""
    parts = [np.arange(*pair) for pair in columns]
    begin = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    place = np.concatenate(parts)
    centre = np.array([[0.0, 0.1 * part.mean()] for part in parts])
    edge = np.full(len(parts), at_border)
    return MaskPixels(begin, np.zeros_like(place), place, centre, 0.1, edge)


def near_daughters(tuning: TrackTuning) -> float:
    """Return how many of two beginnings are near enough to be daughters."""
    radius, step = 1.0, 0.2
    limit = 2.5 * radius + 3 * step + radius
    rows = [(0, 0.0), (1, 0.98 * limit), (1, -1.02 * limit)]
    table = pd.DataFrame(rows, columns=["frame", "x_um"]).assign(y_um=0.0, area_um2=np.pi)
    found = read_detections(table)
    movie = LinkedMovie(found, np.array([1, 2, 3]), None, step, tuning)
    return float(len(_nearby(movie, np.array([1, 2]), np.array([0]))))


def candidates_from(tuning: TrackTuning) -> float:
    """Return how many candidates there are whose probability is 1e-3 above and below a half."""
    events = 0
    for off in (1e-3, -1e-3):
        wanted = logit(0.5 + off) - parted("none")(TrackTuning()) - 0.9
        numbers = tuning.events.model_copy(update={"prior_log_odds": wanted})
        movie = LinkedMovie(
            read_detections(
                pd.DataFrame(
                    {"frame": [0, 1, 1], "x_um": [0.0, -0.5, 1.1], "area_um2": [4.0, 1.7, 1.6]}
                ).assign(y_um=0.0)
            ),
            np.array([1, 1, 2]),
            None,
            0.1,
            tuning.model_copy(update={"events": numbers}),
        )
        events += len(_splits(movie, backwards=False))
    return float(events)


def calibrated(appearance: float, real: float, calm: float, ratio: float) -> Measure:
    """Return the measure of an event's probability."""
    known = (np.array([appearance]), np.array([real]), calm, np.array([ratio]))
    return lambda tuning: float(logit(event_probability(*known, tuning.events)[0]))


def touching_share(columns: tuple[int, int], frames: int = 12) -> Measure:
    """Return the measure of how often two parts touch."""
    first = [(t, 0.0) for t in range(frames)]
    second = [(t, 1.0) for t in range(1, frames)]
    rows = sorted([(t, x, name) for name, some in ((1, first), (2, second)) for t, x in some])
    table = pd.DataFrame(rows, columns=["frame", "x_um", "id"])
    places = [(0, 10) if name == 1 else (columns if t <= 5 else (30, 40)) for t, _, name in rows]
    ids = table.id.to_numpy()
    event = Event("fission", 0, (1, 2), 0.9)

    def measure(tuning: TrackTuning) -> float:
        found = read_detections(table.drop(columns="id").assign(y_um=0.0))
        movie = LinkedMovie(found, ids, strips(places), 1.0, tuning)
        return _Tracks(movie, [event])._touching(event, movie.masks)

    return measure


def told_by_size(tuning: TrackTuning) -> float:
    """Return how many of two clumps are taken apart by size, where place says the contrary."""
    return float(sum(clump_by_size(4 * part, tuning) for part in (0.97, 1.03)))


def clump_by_size(apart: float, tuning: TrackTuning) -> bool:
    large = float(np.exp(0.2))
    rows = [(frame, 1, 0.0, 1.0 + large if 4 <= frame <= 6 else large) for frame in range(7)]
    rows += [(frame, 1, apart, large) for frame in range(7, 11)]
    rows += [(frame, 2, apart, 1.0) for frame in range(4)]
    rows += [(frame, 3, 0.0, 1.0) for frame in range(7, 11)]
    table = pd.DataFrame(sorted(rows), columns=["frame", "track", "x_um", "area_um2"])
    found = read_detections(table.assign(y_um=0.0))
    place = {(row.frame, row.track): k for k, row in enumerate(table.itertuples())}
    events = [
        Event("fusion", place[4, 1], (place[3, 1], place[3, 2]), 0.9),
        Event("fission", place[6, 1], (place[7, 1], place[7, 3]), 0.9),
    ]
    movie = LinkedMovie(found, table.track.to_numpy(), None, 1.0, tuning)
    ids, _ = untangle_clumps(movie, events)
    return bool(ids[place[10, 3]] == 2)


def dividing(seed: int = 0) -> tuple[Detections, np.ndarray]:
    """Return objects of which each divides once, with their tracks, and some that begin late."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(16):
        place, when, angle = 60.0 * np.array(divmod(k, 4), float), 4 + k % 9, rng.uniform(0, np.pi)
        across = rng.uniform(6, 12) * np.array([np.sin(angle), np.cos(angle)])
        late = k % 3 == 0
        for frame in range(15):
            place = place + rng.normal(0, 1.0, 2)
            parts = (
                [(k, place)] if frame < when else [(k, place - across), (100 + k, place + across)]
            )
            parts = parts[:1] if late and frame == when else parts
            for name, where in parts:
                area = 100 / (1 + (frame >= when)) * rng.lognormal(0, 0.1)
                rows.append((frame, name, *(where + rng.normal(0, 0.7, 2)), area))
    for k in range(12):
        begin, where = rng.integers(0, 12), rng.uniform(0, 240, 2)
        frames = range(begin, begin + int(rng.integers(2, 6)))
        rows += [(t, 200 + k, *(where + rng.normal(0, 1.0, 2)), 60.0) for t in frames if t < 15]
    table = pd.DataFrame(rows, columns=["frame", "track", "y_um", "x_um", "area_um2"])
    table = table.sort_values("frame", kind="stable", ignore_index=True)
    return read_detections(table), table.track.to_numpy()


DIVIDING = dividing()
_SIZES = np.random.default_rng(0).lognormal(0, 0.5, 40)
_CROWD = walks(40, 12).assign(y_um=lambda t: t.y_um % 40, x_um=lambda t: t.x_um % 40)
CROWD = read_detections(_CROWD.assign(area_um2=_SIZES[_CROWD.track]).drop(columns="track"))


def sure_links(tuning: TrackTuning) -> float:
    """Return how many links of a crowd teach appearance."""
    sure: list[int] = []

    def learn(_found: Any, _ids: Any, which: np.ndarray, *_: Any) -> None:
        sure.append(int(which.sum()))

    with mock.patch.object(linking_module, "learn_appearance", learn):
        link_detections(CROWD, TrackingConfig(tuning=tuning))
    return float(sure[0])


def beginnings(count: int, side_um: float, seed: int = 1) -> tuple[Detections, np.ndarray]:
    """Return objects in a crowd without divisions, half of which begin late, some for long."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(count):
        begin = 0 if k % 2 else int(rng.integers(1, 9))
        where, frames = rng.uniform(0, side_um, 2), 12 if k % 2 else int(rng.integers(2, 6))
        rows += [
            (t, k, *(where + rng.normal(0, 1, 2))) for t in range(begin, min(begin + frames, 12))
        ]
    table = pd.DataFrame(sorted(rows), columns=["frame", "track", "y_um", "x_um"])
    return read_detections(table), table.track.to_numpy()


BEGINNINGS = beginnings(50, 60.0)


def tried(tuning: TrackTuning) -> float:
    """Return the number of candidates for a division in a crowd."""
    return float(len(_candidates(*BEGINNINGS, 1.0, False, tuning.divisions)))


def hopeful(tuning: TrackTuning) -> float:
    """Return the number of daughters, farther and farther off, that are not hopeless."""
    far = np.arange(14.0, 25.0, 0.1)
    table = pd.DataFrame({"frame": [0, 1] + [1] * len(far), "x_um": [0.0, 0.1, *far], "y_um": 0.0})
    found, one = read_detections(table), np.zeros(len(far), int)
    ids = np.array([1, 1, *range(2, 2 + len(far))])
    links = _Links(found, ids, 1.0, False, tuning.divisions)
    return float(
        len(_hopeful(found, Triples(one, one + 1, np.arange(2, len(ids)), one + 1), links))
    )


def found_again(tuning: TrackTuning) -> float:
    """Return the density of beginnings 4 and 5 frames after an end, and 11.9, 12.1 steps off."""
    table = pd.DataFrame(
        {"frame": [0, 1, 1, 9], "x_um": [0.0, 0.0, 90.0, 90.0], "y_um": [0.0, 0.0, 0.0, 9.0]}
    )
    links = _Links(read_detections(table), np.array([1, 1, 2, 3]), 1.0, False, tuning.divisions)
    place = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 11.9], [0.0, 12.1]])
    log_density = links.log_begins(place, np.array([5, 6, 2, 2]), np.full(4, -1))
    return float(1e4 * np.exp(log_density[2:]).sum() + np.exp(log_density[:2]).sum())


def odds_by_appearance(tuning: TrackTuning) -> float:
    """Return the log odds of daughters whose appearance fits far better than usual."""
    usual = DivisionModel(1e-3, 2.0, 2.0, 0.8, np.zeros(3), np.full(3, 5.0))
    model = replace(usual, appearance=np.full(3, 9.0), appearance_spread=np.full(3, 0.1))
    one = np.ones(1)
    seen = Evidence(np.ones((3, 1)), np.ones((3, 1)), one, one.astype(int), np.full((1, 3), 9.0))
    return float(odds_of_division(model, usual, seen, tuning.divisions.appearance_cap)[0, 0])


def divided(tuning: TrackTuning) -> float:
    """Return the expected number of divisions from positions, ten of which are marked."""
    found, ids = DIVIDING
    _, probability = divisions(found, ids, 1.0, tuning.divisions)
    return float(probability.sum() + 1e-3 * len(probability))


def significant(tuning: TrackTuning) -> float:
    """Return the divisions that are found of four, and of five."""
    found, ids = DIVIDING
    total = 0.0
    for count in (4, 5):
        few = np.flatnonzero((ids < 200) & (ids % 100 >= 16 - count))
        total += divisions(found.frame_part(few), ids[few], 1.0, tuning.divisions)[1].sum()
    return float(total)


def partings(tuning: TrackTuning) -> float:
    """Return the log odds of divisions whose areas fit more or less."""
    found, ids = DIVIDING
    movie = LinkedMovie(found, ids, None, 1.0, tuning)
    return float(sum(event.probability for event in _partings(movie, backwards=False)))


def real_changes(tuning: TrackTuning) -> float:
    """Return how many of some changes are real, and how probable it is that things end."""
    frames = np.array([[9, 2, 5], [4, 1, 8], [3, 3, 30], [12, 7, 2]])
    ended = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]], bool)
    undone = ended & np.array([[0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]], bool)
    touching = np.array([0.0, 1.0, 0.5, 0.2])
    changes = Changes(np.array([0.9, 0.8, 0.7, 0.95]), frames, ended, undone, touching, 900)
    lengths = np.array([1, 1, 2, 3, 9, 12, 30, 30, 40])
    model = learn_lifetimes(lengths, lengths < 30, tuning.persistence)
    return float(model.judge(changes)[0].sum() + model.thing)


def in_class(name: str, exponent: float, positions: int = 30) -> Callable[[TrackTuning], bool]:
    """Return whether a track has a class of motion."""
    return lambda tuning: _class(exponent, positions, tuning.motion_classes) == name


def fitted_exponent(tuning: TrackTuning) -> float:
    """Return the exponent of a track that goes to and fro."""
    frame = np.arange(24)
    table = pd.DataFrame({"track_id": 1, "frame": frame, "y_um": np.sin(0.2 * frame), "x_um": 0.0})
    found = analyse_motion(Tracks.from_table(table), tuning=tuning.motion_classes)
    return float(found.exponent[0])


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
        group = info.default
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
