"""Measures of what the numbers of clumps, divisions, events and motion classes decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from scipy.special import logit

from napari_virtualstain.settings import (
    TrackTuning,
)
from napari_virtualstain.tracking import (
    TrackingConfig,
    Tracks,
    analyse_motion,
)
from napari_virtualstain.tracking import link_detections as linking_module
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
from napari_virtualstain.tracking.events.lifetimes import Changes, learn_lifetimes
from napari_virtualstain.tracking.events.persistence import _Tracks, event_probability
from napari_virtualstain.tracking.link_detections import link_detections
from napari_virtualstain.tracking.mask_pixels import MaskPixels
from napari_virtualstain.tracking.motion_analysis import _class

from .link_measures import Measure, walks

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
