"""Measures of what the numbers of links, gaps and joins decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from napari_virtualstain.settings import (
    TrackTuning,
)
from napari_virtualstain.tracking import (
    LiveTracker,
    TrackingConfig,
    project_labels,
)
from napari_virtualstain.tracking.assembly import _long_enough, _with_joins
from napari_virtualstain.tracking.detections import Detections, read_detections
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
)
from napari_virtualstain.tracking.linking.online import OnlineLinker
from napari_virtualstain.tracking.linking.paper import BoxFollower, box_noise
from napari_virtualstain.tracking.linking.result import Linking
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
