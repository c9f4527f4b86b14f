"""Evidence against links: where it bends, where it ends, and what it does not depend on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_t

from napari_virtualstain.tracking import judge_errors
from napari_virtualstain.tracking.judging.error_probability import combined, evidence_basis
from napari_virtualstain.tracking.judging.link_evidence import (
    FEATURES,
    _Movie,
    _student,
    link_evidence,
)

from .test_error_probability import walks


def track(
    places: np.ndarray, track_id: int = 1, frames: Sequence[int] | None = None
) -> pd.DataFrame:
    """Return a track of places, shape (n, 2), in consecutive frames unless others are given."""
    frame = np.arange(len(places)) if frames is None else frames
    return pd.DataFrame(
        {"track_id": track_id, "frame": frame, "y_um": places[:, 0], "x_um": places[:, 1]}
    )


def square(track_id: int, away: float = 0.0, side: float = 1.0, count: int = 10) -> pd.DataFrame:
    """Return a track that turns by a right angle at each step: its velocity never persists."""
    corner = np.array([[0, 0], [0, 1], [1, 1], [1, 0]])[np.arange(count) % 4]
    return track(side * corner + [0.0, away], track_id)


def evidence(table: pd.DataFrame) -> pd.DataFrame:
    """Return the evidence against each link, with the track and the frame that it leads to."""
    links = link_evidence(table)
    of = table.iloc[links.target][["track_id", "frame"]].reset_index(drop=True)
    return of.join(pd.DataFrame(links.features, columns=list(FEATURES)))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *(("swap", place) for place in (0, 4, 12)),
        *(("end", place) for place in (2, 12)),
        ("surprise", 3),
        *(("crowding", place) for place in (-3, -6)),
        ("reach", -3),
        ("gap", 0),
        ("appearance", 4),
        *(("contact", place) for place in (0.5, 0.7)),
        ("turnover", 0),
        ("resized", 0.4),
        ("merged", 0.2),
    ],
)
def test_what_evidence_is_worth_changes_at_its_limits(name: str, place: float) -> None:
    steps = 1e-3 * np.arange(-3, 4)
    features = np.ones((7, len(FEATURES)))
    features[:, FEATURES.index(name)] = place + steps
    bends = np.abs(np.diff(evidence_basis(features), n=2, axis=0)).max(axis=1) > 1e-6
    # straight on either side of the limit
    assert bends.tolist() in (
        [False, False, True, False, False],
        [False, False, True, True, False],
    )


@pytest.mark.parametrize("odds", [-13.7, -5.0, 0.0, 5.0, 9.1])
def test_a_track_of_one_link_is_as_doubtful_as_the_link(odds: float) -> None:
    joined = combined(np.zeros(1, int), np.array([odds]))
    assert joined[["any", "most"]].to_numpy().ravel() == pytest.approx(odds, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("odds", "name"), [(-13.9, "any"), (-13.9, "most"), (13.9, "most")])
def test_no_link_is_surer_than_one_in_a_million(odds: float, name: str) -> None:
    sure, surer = (combined(np.zeros(1, int), np.array([some]))[name] for some in (odds, 99 * odds))
    assert sure[0] == surer[0]
    assert abs(sure[0]) == pytest.approx(np.log(1e6), rel=1e-6)


def test_links_that_are_wrong_for_sure_leave_finite_odds() -> None:
    assert np.isfinite(combined(np.zeros(3, int), np.full(3, 1e3)).to_numpy()).all()


@pytest.mark.parametrize(
    ("stated", "like", "alike"),
    [
        (0.9995, 1.0, True),
        (0.998, 1.0, False),
        (0.0005, 0.0, True),
        (0.002, 0.0, False),
        (1.5, np.nan, True),
        (-0.5, np.nan, True),
    ],
)
def test_quality_counts_between_a_thousandth_and_the_rest_to_one(
    stated: float, like: float, alike: bool
) -> None:
    rated = walks(count=20).assign(quality=0.9)
    rated.loc[0, "quality"] = 0.8  # of a first row, so that it is no constant
    here = (rated.track_id == 7) & (rated.frame == 9)
    chances = []
    for value in (stated, like):
        rated.loc[here, "quality"] = value
        chances.append(judge_errors(rated).links[here.to_numpy()].item())
    assert np.isfinite(chances).all()
    assert (chances[0] == pytest.approx(chances[1], rel=1e-9)) == alike


@pytest.mark.parametrize("square", [0.1, 3.0, 200.0])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_steps_have_the_tails_of_students_t(square: float, axes: int) -> None:
    spread = 0.7
    law = multivariate_t(np.zeros(axes), spread * np.eye(axes), df=5)
    off = np.sqrt(square) * np.eye(axes)[0]
    expected = law.logpdf(np.zeros(axes)) - law.logpdf(off)
    assert _student(np.array(square), np.array(spread), axes) == pytest.approx(expected)


@pytest.mark.parametrize(("neighbours", "counted"), [(0, 0), (2, 2), (3, 3), (4, 3)])
def test_the_three_nearest_neighbours_count(neighbours: int, counted: int) -> None:
    ended = [track(np.array([[0.0, 2.0 + k]]), 2 + k) for k in range(neighbours)]
    found = evidence(pd.concat([square(1), *ended]))
    assert found.turnover[found.frame == 1].item() == counted


def test_a_gaussian_walk_has_its_variance() -> None:
    movie = _Movie(walks(count=400, frames=10), 1.0)
    assert movie.typical == pytest.approx(0.3**2, rel=0.1)


@pytest.mark.parametrize(("others", "nearer"), [(3, "movie"), (4, "neither"), (5, "own")])
def test_the_movie_weighs_as_much_as_four_links_of_a_track(others: int, nearer: str) -> None:
    calm = [square(2 + k, 50.0 * k) for k in range(9)]
    movie = _Movie(pd.concat([square(1, -50.0, side=3.0, count=others + 2), *calm]), 1.0)
    own = 3.0**2 / 2
    off = movie.spread[0] - (own + movie.typical) / 2
    assert {"movie": off < 0, "neither": abs(off) < 1e-9, "own": off > 0}[nearer]


@pytest.mark.parametrize(("away", "possible"), [(8.4, True), (9.1, False)])
def test_objects_nine_steps_apart_are_not_mistaken_for_each_other(
    away: float, possible: bool
) -> None:
    found = evidence(pd.concat([square(1), square(2, away)]))
    assert (found.swap[1:9] < 30).all() == possible
    assert (found.swap == 30).all() != possible


def test_evidence_of_swaps_and_ends_is_limited() -> None:
    lone = evidence(square(1))
    assert (lone[["swap", "end"]] == 30).all(axis=None)
    rng = np.random.default_rng(0)
    floors = []
    for away in (1.0, 3.0, 300.0):
        # two objects at rest that exchange their names once, and calm ones
        places = [np.array([0.0, away * k]) for k in (0, 1)]
        places += [np.full(2, 900.0 * k) for k in range(1, 6)]
        parts = [track(rng.normal(0, 0.3, (40, 2)) + at, 1 + k) for k, at in enumerate(places)]
        table = pd.concat(parts, ignore_index=True)
        swapped = table.frame.ge(20) & table.track_id.le(2)
        table.loc[swapped, "track_id"] = 3 - table.track_id[swapped]
        floors.append(evidence(table).swap.min())
    assert floors[0] > floors[1] == floors[2] == -15


@pytest.mark.parametrize(
    ("velocity", "persistence"), [(np.ones(30), 0.98), ((-1.0) ** np.arange(30), -0.6)]
)
def test_velocities_persist_and_turn_back_up_to_a_limit(
    velocity: np.ndarray, persistence: float
) -> None:
    places = np.column_stack([velocity.cumsum(), np.zeros(30)])
    assert _Movie(track(places), 1.0).persistence[0] == persistence


@pytest.mark.parametrize(("alpha", "part"), [(-0.6, 1.0), (0.0, 1.0), (0.6, 0.64)])
def test_first_steps_vary_less_where_velocities_persist(alpha: float, part: float) -> None:
    v = np.array([[3.0, 4.0]])
    found = _Movie._residual(v, v, np.array([False]), np.array([alpha]))
    assert found.item() == pytest.approx(25.0 * part)


def broken(detections: int) -> pd.DataFrame:
    """Return a track from first to last frame, and seven of so many detections in between."""
    place = np.zeros((detections, 2))
    whole = track(place, 0, np.linspace(0, 98, detections).astype(int))
    parts = [track(place + 9.0 * k, k, k + np.arange(detections)) for k in range(1, 8)]
    return pd.concat([whole, *parts], ignore_index=True)


@pytest.mark.parametrize(
    ("table", "name", "stated"),
    [
        (square(1, count=150), "restless", np.log(1 / 300)),
        (square(1, count=500), "restless", -6.0),
        # both ends of seven of eight tracks, of all their links
        (broken(3), "restless", np.log((14 + 1) / (2 * 16 + 2))),
        (broken(2), "restless", -0.5),
        (pd.concat([square(1), square(2)])[lambda t: t.frame.ne(3)], "gappy", 1 / 8),
        (track(np.zeros((10, 2)), 1, [0, 1, 2, 4, 5, 7, 8, 9, 10, 11]), "gappy", 2 / 9),
        (track(np.zeros((10, 2)), 1, [0, 1, 2, 4, 5, 6, 8, 9, 11, 13]), "gappy", 0.3),
        (square(1).assign(area_um2=[1.0, 1.01] * 5), "unsteady", np.log(0.02)),
        (square(1).assign(area_um2=[1.0, np.exp(0.03)] * 5), "unsteady", np.log(0.03)),
        (square(1).assign(area_um2=[1.0, np.exp(0.39)] * 5), "unsteady", np.log(0.39)),
        (square(1).assign(area_um2=[1.0, np.exp(0.5)] * 5), "unsteady", np.log(0.4)),
    ],
)
def test_what_is_said_of_a_movie_keeps_to_the_range_of_the_fit(
    table: pd.DataFrame, name: str, stated: float
) -> None:
    assert evidence(table)[name].to_numpy() == pytest.approx(stated)


def test_the_unit_of_size_and_brightness_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    table = walks(count=20, frames=8)
    table["intensity"] = rng.lognormal(0, 0.3, len(table))
    links = judge_errors(table).links
    for factor in (1e-3, 1e3):
        other = judge_errors(table.assign(intensity=factor * table.intensity)).links
        assert np.allclose(links, other, equal_nan=True)
    sized = table.assign(area_um2=0.1 * rng.lognormal(0, 0.3, len(table)))
    links = judge_errors(sized).links
    larger = sized.assign(
        y_um=100 * sized.y_um, x_um=100 * sized.x_um, area_um2=1e4 * sized.area_um2
    )
    assert np.allclose(links, judge_errors(larger).links, equal_nan=True)


def test_objects_that_mostly_rest_are_judged_alike_in_any_unit() -> None:
    places = np.zeros((20, 2))
    places[10:] = [0.3, 0.1]
    rest = [track(places + 5.0 * k, k) for k in range(12)]
    table = pd.concat(rest, ignore_index=True)
    larger = table.assign(y_um=1e3 * table.y_um, x_um=1e3 * table.x_um)
    assert np.allclose(link_evidence(table).features, link_evidence(larger).features, atol=1e-6)


def test_the_density_is_that_of_the_three_nearest() -> None:
    others = [track(np.array([[0.0, away]]), 2 + k) for k, away in enumerate((1.0, 1.5, 2.0, 5.0))]
    movie = _Movie(pd.concat([track(np.zeros((1, 2))), *others]), 1.0)
    assert movie.density[0] == pytest.approx(3 / (np.pi * 2.0**2))


@pytest.mark.parametrize(("missed", "counted"), [(0, 0), (1, 1), (3, 3), (4, 3)])
def test_missed_frames_count_up_to_three(missed: int, counted: int) -> None:
    others = square(2, 50.0)  # so that no frame is missing in all
    found = evidence(pd.concat([track(np.zeros((3, 2)), 1, [0, 1, 2 + missed]), others]))
    assert found.gap[found.track_id == 1].tolist() == [0, counted]
