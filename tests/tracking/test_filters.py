"""Filters against filterpy, the mixture against one filter, the assignment against brute force."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.special import expit

from napari_virtualstain.errors import InputError
from napari_virtualstain.settings import PaperTuning, TrackTuning
from napari_virtualstain.tracking import LiveTracker, TrackingConfig, link
from napari_virtualstain.tracking.detections import read_detections
from napari_virtualstain.tracking.linking.assignment import assign, candidate_pairs
from napari_virtualstain.tracking.linking.link_quality import link_probabilities
from napari_virtualstain.tracking.linking.noise import (
    _longest_tracks,
    model_from_step,
    refined_model,
    spread_of,
    typical_step_um,
)
from napari_virtualstain.tracking.linking.paper import OBSERVATION, TRANSITION, box_noise
from napari_virtualstain.tracking.motion_models import kalman, mixture

from .link_measures import walks


def test_the_papers_filter_is_filterpys() -> None:
    filterpy = pytest.importorskip("filterpy.kalman")
    rng = np.random.default_rng(0)
    noise = box_noise(1.5, 20.0, PaperTuning(place_error_in_steps=0.2))
    mean, covariance = rng.normal(0, 5, (6, 7)), np.tile(noise.initial, (6, 1, 1))
    oracles = []
    for start in mean:
        oracle = filterpy.KalmanFilter(dim_x=7, dim_z=4)
        oracle.x, oracle.P = start[:, None].copy(), noise.initial.copy()
        oracle.F, oracle.H, oracle.Q, oracle.R = (
            TRANSITION, OBSERVATION, noise.process, noise.observation
        )  # fmt: skip
        oracles.append(oracle)
    for _ in range(12):
        measured = rng.normal(0, 5, (6, 4))
        mean, covariance = kalman.predict(mean, covariance, TRANSITION, noise.process)
        expected, spread = kalman.innovation(mean, covariance, OBSERVATION, noise.observation)
        distance = kalman.squared_mahalanobis(measured, expected, spread)
        mean, covariance = kalman.update(mean, covariance, measured, OBSERVATION, noise.observation)
        for i, oracle in enumerate(oracles):
            oracle.predict()
            oracle.update(measured[i][:, None])
            assert np.allclose(mean[i], oracle.x[:, 0], rtol=1e-9, atol=1e-9)
            assert np.allclose(covariance[i], oracle.P, rtol=1e-9, atol=1e-9)
            assert distance[i] == pytest.approx(oracle.mahalanobis**2, rel=1e-9)


def test_smoothing_is_filterpys() -> None:
    filterpy = pytest.importorskip("filterpy.kalman")
    rng = np.random.default_rng(1)
    noise = box_noise(1.0, 9.0, PaperTuning(place_error_in_steps=0.5))
    oracle = filterpy.KalmanFilter(dim_x=7, dim_z=4)
    oracle.P, oracle.F, oracle.H = noise.initial.copy(), TRANSITION, OBSERVATION
    oracle.Q, oracle.R = noise.process, noise.observation
    means, covariances, _, _ = oracle.batch_filter(list(rng.normal(0, 3, (15, 4, 1))))
    theirs, spread, _, _ = oracle.rts_smoother(means, covariances)
    ours, ours_spread = kalman.smooth(means[..., 0], covariances, TRANSITION, noise.process)
    assert np.allclose(ours, theirs[..., 0], rtol=1e-9, atol=1e-9)
    assert np.allclose(ours_spread, spread, rtol=1e-9, atol=1e-9)


def test_a_mixture_of_one_motion_is_one_filter() -> None:
    phi, q, r = 0.6, 0.8, 0.1
    one = np.ones(1)
    motions = mixture.MotionMixture(phi * one, q * one, 2.0 * one, one, np.eye(1), r, 5.0)
    rng = np.random.default_rng(2)
    state = mixture.start(np.zeros((1, 2)), motions)
    mean, covariance = np.zeros((2, 2)), np.tile(np.diag([r, 2.0]), (2, 1, 1))
    transition, noise = np.array([[1, phi], [0, phi]]), q * np.ones((2, 2))
    for _ in range(8):
        seen = rng.normal(0, 2, (1, 2))
        state = mixture.correct(mixture.advance(state, motions), seen, r)
        mean, covariance = kalman.predict(mean, covariance, transition, noise)
        mean, covariance = kalman.update(
            mean, covariance, seen.T, np.array([[1.0, 0.0]]), np.array([[r]])
        )
        assert np.allclose(state.place[:, 0, 0], mean[:, 0])
        assert np.allclose(state.velocity[:, 0, 0], mean[:, 1])
        assert state.var_velocity[0, 0] == pytest.approx(covariance[0, 1, 1])


@pytest.mark.parametrize("seed", range(8))
def test_the_assignment_is_the_cheapest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = 5
    rows, columns = map(np.ravel, np.indices((size, size)))
    costs = rng.uniform(0, 2, size * size)
    some = rng.random(size * size) < 0.7
    rows, columns, costs = rows[some], columns[some], costs[some]
    chosen = assign(rows, columns, costs, (size, size), limit=1.0)
    full = np.zeros((size, size))
    full[rows, columns] = np.minimum(costs - 1.0, 0)
    best = min(full[np.arange(size), list(order)].sum() for order in permutations(range(size)))
    assert (costs[chosen] - 1.0).sum() == pytest.approx(best)
    assert len(set(rows[chosen])) == len(set(columns[chosen])) == len(chosen)


def test_a_large_assignment_is_as_cheap_as_the_dense_one() -> None:
    rng = np.random.default_rng(3)
    place, other = rng.uniform(0, 20, (2, 300, 2))
    rows, columns = candidate_pairs(place, other, 4.0)
    costs = np.linalg.norm(place[rows] - other[columns], axis=1)
    chosen = assign(rows, columns, costs, (300, 300), limit=4.0)
    dense = np.zeros((300, 300))
    dense[rows, columns] = np.minimum(costs - 4.0, 0)
    assert (costs[chosen] - 4.0).sum() == pytest.approx(dense[linear_sum_assignment(dense)].sum())


SIZES = list(product((1, 2, 3, 4), repeat=2))


@pytest.mark.parametrize(
    "sizes", [*([one] for one in SIZES), *([one] * 80 for one in SIZES), SIZES * 9]
)
def test_groups_of_equal_rivals_are_paired_as_cheaply_as_can_be(
    sizes: list[tuple[int, int]],
) -> None:
    # gains of 1 and 2, so that most are ties, and none is settled before the rest
    rng = np.random.default_rng(0)
    groups = [rng.integers(1, 3, size).astype(float) for size in sizes]
    for gains in groups:
        gains[:, 0] = gains[0] = 2.0
    heights, widths = np.cumsum(sizes, axis=0).T - np.transpose(sizes)
    inside = [np.indices(size).reshape(2, -1) for size in sizes]
    rows, columns = (
        np.concatenate([some[k] + begin for some, begin in zip(inside, begins, strict=True)])
        for k, begins in enumerate((heights, widths))
    )
    gain = np.concatenate([gains.ravel() for gains in groups])
    chosen = assign(rows, columns, -gain, (rows.max() + 1, columns.max() + 1))
    assert len(set(rows[chosen])) == len(set(columns[chosen])) == len(chosen)
    best = [gains[linear_sum_assignment(gains, maximize=True)].sum() for gains in groups]
    assert gain[chosen].sum() == sum(best)


@pytest.mark.parametrize(("frames", "every"), [(119, 1), (120, 2)])
def test_of_long_movies_some_pairs_of_frames_show_the_step(frames: int, every: int) -> None:
    steps = np.random.default_rng(0).uniform(1.0, 3.0, frames - 1)
    x_um = np.append(0.0, steps.cumsum())
    found = read_detections(pd.DataFrame({"frame": range(frames), "y_um": 0.0, "x_um": x_um}))
    assert typical_step_um(found) == pytest.approx(spread_of(steps[::every]))


@pytest.mark.parametrize(("seen", "step_um"), [(39_999, 3.0), (40_000, 1.0)])
def test_of_crowded_movies_some_pairs_of_frames_show_the_step(seen: int, step_um: float) -> None:
    # steps of 1 µm, then of 3 µm by some more
    count = seen // 3 + 1
    place = 9.0 * np.column_stack(np.divmod(np.arange(count), 100))
    parts = [
        pd.DataFrame({"frame": k, "y_um": place[:, 0], "x_um": place[:, 1] + x})
        for k, x in enumerate((0.0, 1.0, 4.0))
    ]
    found = read_detections(pd.concat(parts)[-seen:])
    assert typical_step_um(found) == pytest.approx(spread_of(np.array([step_um])), rel=0.01)


def test_the_model_of_a_movie_does_not_depend_on_who_is_listed_first() -> None:
    table = walks(3, 8)
    models = []
    for first in range(3):
        order = np.lexsort((table.track != first, table.frame))
        found, track_ids = read_detections(table.iloc[order]), table.track.to_numpy()[order]
        tuning = TrackTuning()
        models.append(
            refined_model(model_from_step(1.0, tuning), found, track_ids, tuning.motion).mixture
        )
    assert all(len(some.prior) == len(models[0].prior) for some in models)
    assert np.allclose([some.transition for some in models], models[0].transition, rtol=1e-6)


def test_the_longest_tracks_are_learned_from_until_they_hold_3000_detections() -> None:
    counts = np.random.default_rng(0).permutation(np.arange(20, 120))
    track_ids = np.repeat(np.arange(100), counts)
    chosen = np.unique(track_ids[_longest_tracks(track_ids)])
    held = counts[chosen]
    assert held.min() > np.delete(counts, chosen).max()
    assert held.sum() >= 3000 > held.sum() - held.min()


def test_link_probabilities_are_those_of_all_pairings() -> None:
    weight = np.array([[3.0, 0.0], [1.5, 2.0]])
    rows, columns = np.array([0, 1, 1]), np.array([0, 0, 1])
    found, alone = link_probabilities(rows, columns, np.log(weight[rows, columns]), (2, 2))
    pairings = [((), 1.0), ((0,), 3.0), ((1,), 1.5), ((2,), 2.0), ((0, 2), 6.0)]
    total = sum(value for _, value in pairings)
    exact = [sum(v for links, v in pairings if e in links) / total for e in range(3)]
    assert np.allclose(found, exact, atol=1e-6)
    assert alone[0] == pytest.approx(1 - exact[0] - exact[1], abs=1e-6)


@pytest.mark.parametrize("log_ratio", [-1000.0, -29.0, -20.0, 0.0, 20.0, 29.0, 1000.0])
def test_a_lone_link_is_as_probable_as_its_ratio_says(log_ratio: float) -> None:
    pair = np.zeros(1, int)
    found, alone = link_probabilities(pair, pair, np.array([log_ratio]), (1, 1))
    assert found[0] == pytest.approx(expit(log_ratio), rel=1e-9, abs=1e-12)
    assert alone[0] == pytest.approx(expit(-log_ratio), rel=1e-9, abs=1e-12)


def crossing(frames: int = 20) -> pd.DataFrame:
    """Return two objects at constant velocity that meet halfway."""
    t = np.arange(frames)
    one = pd.DataFrame({"frame": t, "y_um": 0.3 * t, "x_um": 1.0 * t, "track": 0})
    other = one.assign(x_um=frames - 1.3 - one.x_um, track=1)
    return pd.concat([one, other], ignore_index=True)


def test_crossing_objects_keep_their_direction() -> None:
    truth = crossing()
    found = truth.merge(link(truth).table, on=["frame", "y_um", "x_um"])
    assert found.groupby("track").track_id.nunique().tolist() == [1, 1]


def test_an_object_that_turns_back_keeps_its_identity() -> None:
    x = np.concatenate([np.arange(15.0), np.arange(13.0, -1.0, -1.0)])
    rows = [
        pd.DataFrame({"frame": np.arange(len(x)), "y_um": 9.0 * i, "x_um": 2 * x, "track": i})
        for i in range(4)
    ]
    truth = pd.concat(rows, ignore_index=True)
    found = truth.merge(link(truth).table, on=["frame", "y_um", "x_um"])
    assert found.groupby("track").track_id.nunique().eq(1).all()


def test_frames_pushed_one_by_one_keep_identities_and_little_memory() -> None:
    rng = np.random.default_rng(4)
    live = LiveTracker(config=TrackingConfig(max_gap=2))
    for frame in range(60):
        # a new object every frame, each seen five times
        ages = np.arange(max(0, frame - 4), frame + 1)
        seen = pd.DataFrame(
            {"frame": frame, "y_um": 30.0 * ages, "x_um": rng.normal(0, 0.1, len(ages))}
        )
        names = live.push(seen.sample(frac=1, random_state=frame))
        assert len(set(names)) == len(ages)
        assert live.followed <= 5 + 3
    tracks = live.tracks()
    assert tracks.table.groupby("track_id").y_um.nunique().eq(1).all()
    assert len(tracks) == 60


def test_frames_must_come_in_order_and_one_by_one() -> None:
    live = LiveTracker(step_um=1.0)
    live.push(pd.DataFrame({"frame": [3], "y_um": [0.0], "x_um": [0.0]}))
    with pytest.raises(InputError, match="order of time"):
        live.push(pd.DataFrame({"frame": [3], "y_um": [0.0], "x_um": [0.0]}))
    with pytest.raises(InputError, match="one frame at a time"):
        live.push(pd.DataFrame({"frame": [4, 5], "y_um": 0.0, "x_um": 0.0}))
    with pytest.raises(InputError, match="tells area, the frames before places alone"):
        live.push(pd.DataFrame({"frame": [4], "y_um": 0.0, "x_um": 0.0, "area_um2": 1.0}))


def test_whom_live_tracking_saw_first_is_beyond_doubt() -> None:
    live = LiveTracker()
    for frame, x_um in enumerate([0.0, 0.5, 1.0]):
        live.push(pd.DataFrame({"frame": frame, "y_um": [0.0], "x_um": [x_um]}))
    table = live.tracks().table
    assert table.quality[0] == 1.0 > table.quality[1]


def test_trackpy_links_behind_the_same_interface() -> None:
    pytest.importorskip("trackpy")
    seen = pd.DataFrame({"frame": np.repeat(range(6), 2), "y_um": [0.0, 9.0] * 6, "x_um": 0.0})
    tracks = link(seen, config=TrackingConfig(linker="trackpy", search_radius_um=1.0))
    assert len(tracks) == 2


@pytest.mark.parametrize(
    "numbers", [(0, 2, 4, 6, 8, 12), (7, 10, 13, 16, 22), (0, 4, 6, 8, 12), (0, 4, 8, 10, 14)]
)
def test_pushed_frame_numbers_mean_what_they_mean_to_link(numbers: tuple[int, ...]) -> None:
    rows = [
        pd.DataFrame({"frame": t, "y_um": [0.0, 20.0], "x_um": [0.1 * t, 0.0]}) for t in numbers
    ]
    live = LiveTracker(config=TrackingConfig(max_gap=1))
    for some in rows:
        assert live.push(some).tolist() == [1, 2]
    whole = link(pd.concat(rows, ignore_index=True), max_gap=1)
    columns = ["track_id", "frame", "interpolated"]
    pd.testing.assert_frame_equal(live.tracks().table[columns], whole.table[columns])
    missing = set(range(numbers[0], numbers[-1], np.gcd.reduce(np.diff(numbers)))) - set(numbers)
    assert set(whole.table[whole.table.interpolated].frame) == missing != set()
