"""Both sides of numbers that decide about joins, clumps and events."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

import napari_virtualstain as vs
from napari_virtualstain.settings import (
    EventTuning,
    JoinTuning,
    LinkTuning,
    MotionTuning,
    TrackTuning,
)
from napari_virtualstain.tracking import TrackingConfig
from napari_virtualstain.tracking.detections import read_detections
from napari_virtualstain.tracking.events.candidates import Event, LinkedMovie, _place_odds
from napari_virtualstain.tracking.events.clumps import untangle_clumps
from napari_virtualstain.tracking.events.lifetimes import Changes, Lifetimes
from napari_virtualstain.tracking.linking.assignment import assign
from napari_virtualstain.tracking.linking.extended import MixtureFollower
from napari_virtualstain.tracking.linking.link_quality import LinkEvidence, quality, reasons
from napari_virtualstain.tracking.linking.noise import model_from_step
from napari_virtualstain.tracking.linking.online import OnlineLinker
from napari_virtualstain.tracking.linking.stitching import stitch
from napari_virtualstain.tracking.motion_models import mixture
from napari_virtualstain.tracking.motion_models.smoothing import fill_gaps
from napari_virtualstain.tracking.motion_models.two_sided import states_along


def broken(area: float = np.nan) -> pd.DataFrame:
    """Return detections of a track that jumps by 20 µm at frame 5, and of one far away."""
    near = pd.DataFrame({"frame": range(10), "y_um": 0.0, "x_um": [0.0] * 5 + [20.0] * 5})
    near["area_um2"] = np.repeat([1.0, area], 5) if np.isfinite(area) else np.nan
    far = near.assign(y_um=1000.0, x_um=1000.0)
    far["area_um2"] = 1.0 if np.isfinite(area) else np.nan
    table = pd.concat([near, far]).sort_values("frame", kind="stable", ignore_index=True)
    return table.dropna(axis="columns")


def stitched(table: pd.DataFrame, tuning: JoinTuning) -> tuple[int, int]:
    """Return in how many tracks the first object ends up, and how many joins were made."""
    names = np.where(table.y_um > 0, 3, np.where(table.frame < 5, 1, 2))
    joined, chance = stitch(read_detections(table), names, max_gap=3, step_um=1.0, tuning=tuning)
    return len(set(joined.tolist())) - 1, int(np.isfinite(chance).sum())


def tuned(**numbers: float) -> TrackingConfig:
    """Return settings with other numbers."""
    return TrackingConfig(tuning=TrackTuning(events=EventTuning(**numbers)))


def test_equal_costs_settle_each_row_and_column_once() -> None:
    rows, columns = np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3)
    chosen = assign(rows, columns, np.full(9, -1.0), (3, 3))
    assert sorted(rows[chosen]) == sorted(columns[chosen]) == [0, 1, 2]
    lone = assign(np.array([0, 0]), np.array([0, 1]), np.full(2, -1.0), (1, 2))
    assert len(lone) == 1


@pytest.mark.parametrize(
    ("change", "longest", "lasts", "seen", "apart"),
    [
        (0.34, 3, 3, 4, True),
        (0.36, 3, 3, 4, False),
        (0.34, 2, 3, 4, False),
        (0.34, 3, 1, 4, True),  # one mask in a single frame
        # who is seen apart more briefly than as one is a fragment
        (0.34, 3, 3, 3, True),
        (0.34, 3, 3, 2, False),
    ],
)
def test_a_clump_is_one_only_within_its_limits(
    change: float, longest: int, lasts: int, seen: int, apart: bool
) -> None:
    # two objects, one mask from frame 4 on, and two again, the smaller with another size
    after = 4 + lasts
    rows = [(frame, 1, 0.0, 5.0 if 4 <= frame < after else 4.0) for frame in range(11)]
    rows += [(frame, 2, 3.0, 1.0) for frame in range(4)]
    rows += [(frame, 3, 3.0, float(np.exp(change))) for frame in range(after, after + seen)]
    table = pd.DataFrame(sorted(rows), columns=["frame", "track", "x_um", "area_um2"])
    found = read_detections(table.assign(y_um=0.0))
    place = {(row.frame, row.track): k for k, row in enumerate(table.itertuples())}
    events = [
        Event("fusion", place[4, 1], (place[3, 1], place[3, 2]), 0.9),
        Event("fission", place[after - 1, 1], (place[after, 1], place[after, 3]), 0.9),
    ]
    tuning = TrackTuning(events=EventTuning(clump_frames=longest))
    movie = LinkedMovie(found, table.track.to_numpy(), None, 1.0, tuning)
    names, left = untangle_clumps(movie, events)
    assert (names[place[after, 3]] == 2) == apart
    assert names[place[4, 1]] == 1  # the larger one keeps the common mask
    assert len(left) == (0 if apart else 2)


@pytest.mark.parametrize(("factor", "tracks"), [(1.01, 1), (0.99, 2)])
@pytest.mark.parametrize("sized", [False, True])
def test_ends_are_joined_up_to_the_stated_chance(factor: float, tracks: int, sized: bool) -> None:
    # one begin in 9 frames of a square millimetre, looked for within 20 µm of the end
    expected = np.pi * 20.0**2 / (9 * 1000.0**2)
    name = "chance_sized" if sized else "chance"
    tuning = JoinTuning(**{name: factor * expected})
    assert stitched(broken(1.0 if sized else np.nan), tuning) == (tracks, 2 - tracks)


@pytest.mark.parametrize(("least", "tracks"), [(5, 1), (6, 2)])
def test_short_tracks_are_not_joined(least: int, tracks: int) -> None:
    assert stitched(broken(), JoinTuning(least_length=least))[0] == tracks


@pytest.mark.parametrize(("steps", "tracks"), [(20.5, 1), (19.5, 2)])
def test_far_ends_are_not_joined(steps: float, tracks: int) -> None:
    assert stitched(broken(), JoinTuning(longest_steps=steps))[0] == tracks


@pytest.mark.parametrize(("change", "tracks"), [(0.69, 1), (0.71, 2)])
def test_sizes_must_fit_at_a_join(change: float, tracks: int) -> None:
    assert stitched(broken(float(np.exp(change))), JoinTuning())[0] == tracks


def test_events_are_listed_from_the_stated_probability_on() -> None:
    labels = np.zeros((20, 48, 96), np.int32)
    for t in range(20):
        if t < 10:
            labels[t, 20:26, 30:60] = 1
        else:
            labels[t, 20:26, 30 - (t - 9) : 44 - (t - 9)] = 1
            labels[t, 20:26, 46 + (t - 9) : 60 + (t - 9)] = 2
    events = vs.track(labels, pixel_size_um=0.08).events
    assert events.kind.tolist() == ["fission"]
    stated = float(events.probability.iloc[0])
    for least, count in ((stated - 1e-6, 1), (stated + 1e-6, 0)):
        config = tuned(least_listed_probability=least)
        assert len(vs.track(labels, pixel_size_um=0.08, config=config).events) == count


@pytest.mark.parametrize(("rounds", "joined"), [(0, 0), (1, 1), (3, 1)])
def test_fragments_are_joined_in_the_stated_rounds(rounds: int, joined: int) -> None:
    labels = np.zeros((12, 48, 96), np.int32)
    labels[:, 20:26, 30:60] = 1
    labels[5, :, 44:46] = 0
    labels[5, 20:26, 46:60] = 2
    tracks = vs.track(labels, pixel_size_um=0.08, config=tuned(fragment_rounds=rounds))
    assert int((tracks.table.fragments != "").sum()) == joined


def test_the_turn_share_weighs_an_object_that_goes_anywhere_as_fast() -> None:
    # one motion: the density is a Gaussian about the place before, as wide as the speed
    one = np.ones(1)
    motions = mixture.MotionMixture(one, one, 2.0 * one, one, np.eye(1), 0.3, 5.0, 0.01)
    state = mixture.start(np.array([[1.0, 2.0]]), motions)
    state.values[2:4, 0, 0] = 3.0, -1.0
    seen = np.array([[-1.5, 4.0]])
    variance = 0.3 + 0.5 * (3.0**2 + 1.0**2) + 0.3
    offset = seen[0] - (np.array([1.0, 2.0]) - [3.0, -1.0])
    expected = np.log(0.01) + multivariate_normal.logpdf(offset, np.zeros(2), variance)
    assert mixture.log_turn(state, np.zeros(1, int), seen, motions) == pytest.approx(expected)


@pytest.mark.parametrize(("share", "linked"), [(0.01, False), (0.05, True)])
def test_an_object_that_turns_back_is_followed_as_often_as_the_share_says(
    share: float, linked: bool
) -> None:
    tuning = TrackTuning(motion=MotionTuning(turn_share=share, new_log_density=-7.0))
    linker = OnlineLinker(MixtureFollower(model_from_step(1.0, tuning)))
    places = [*(3.0 * np.arange(8)), 18.0]
    ids = [
        linker.push(t, read_detections(pd.DataFrame({"frame": t, "y_um": [0.0], "x_um": [x]})))[0]
        for t, x in enumerate(places)
    ]
    assert (ids[-1] == ids[-2]) == linked


@pytest.mark.parametrize(("gone", "linked"), [(1.40, True), (1.43, False)])
def test_the_search_radius_grows_with_the_square_root_of_a_gap(gone: float, linked: bool) -> None:
    seen = [pd.DataFrame({"frame": t, "y_um": 0.0, "x_um": [x]}) for t, x in ((0, 0.0), (2, gone))]
    linker = OnlineLinker(MixtureFollower(model_from_step(1.0, TrackTuning())), 3, 1.0)
    first, last = (linker.push(int(one.frame[0]), read_detections(one))[0] for one in seen)
    assert (first == last) == linked


def link_evidence_of(log_ratio: float) -> LinkEvidence:
    return LinkEvidence(np.array([0.7]), np.array([log_ratio]), np.zeros(1, int))


def test_quality_counts_log_ratios_up_to_fifteen_and_says_why() -> None:
    yes, numbers = np.ones(1, bool), LinkTuning()
    five, ten, fifteen, more = (
        quality(link_evidence_of(ratio), link_evidence_of(ratio), yes, ~yes, numbers)[0]
        for ratio in (5.0, 10.0, 15.0, 40.0)
    )
    assert five != ten != fifteen == more
    for good, text in ((0.5, "may continue another track"), (0.95, "")):
        said = reasons(np.array([good]), link_evidence_of(9.0), yes, yes, numbers)[0]
        assert said.endswith(text)
        assert bool(said) == bool(text)


def test_strangers_are_expected_in_proportion_to_the_gap() -> None:
    table = broken()
    later = table[(table.y_um > 0) | (table.frame != 5)].reset_index(drop=True)
    chances = []
    for seen in (table, later):
        ids = np.where(seen.y_um > 0, 3, np.where(seen.frame < 5, 1, 2))
        chance = stitch(read_detections(seen), ids, max_gap=3, step_um=1.0)[1]
        chances.append(float(chance[np.isfinite(chance)][0]))
    assert chances[0] == pytest.approx(np.pi * 20.0**2 / (9 * 1000.0**2))
    assert chances[1] == pytest.approx(2 * chances[0])


def test_the_place_of_daughters_counts_as_a_gaussian() -> None:
    table = pd.DataFrame({"frame": [0, 1, 1], "x_um": [0.0, -0.5, 1.1], "area_um2": np.pi})
    movie = LinkedMovie(read_detections(table.assign(y_um=0.0)), np.array([1, 2, 3]), None, 0.1)
    spread = 0.1 + 0.25
    expected = 2.0 - 0.3**2 / (2 * spread**2)
    assert _place_odds(movie, 0, (1, 2), goes_on=False) == pytest.approx(expected)


def test_an_object_survives_every_frame_but_its_last() -> None:
    frames = np.array([[30, 30, 7]])
    yes = np.zeros((1, 3), bool)
    changes = Changes(np.array([0.9]), frames, yes, yes, np.zeros(1), 500)
    _, doubts = Lifetimes(thing=0.2).judge(changes)
    artefact = np.log(0.5 * 1.5 / ((0.5 + frames - 1) * (0.5 + frames)))
    assert np.allclose(doubts, artefact - (frames - 1) * np.log(0.8))


@pytest.mark.parametrize(("max_gap", "joined"), [(1, True), (0, False)])
def test_ends_are_joined_over_the_longest_gap_at_most(max_gap: int, joined: bool) -> None:
    table = broken()
    seen = table[(table.y_um > 0) | (table.frame != 5)].reset_index(drop=True)
    ids = np.where(seen.y_um > 0, 3, np.where(seen.frame < 5, 1, 2))
    found, _ = stitch(read_detections(seen), ids, max_gap=max_gap, step_um=1.0)
    assert (len(set(found.tolist())) == 2) == joined


def test_a_gap_is_predicted_frame_by_frame() -> None:
    one = np.ones(1)
    motions = mixture.MotionMixture(0.5 * one, 0.7 * one, 0.9 * one, one, np.eye(1), 0.3, 5.0)
    table = pd.DataFrame({"frame": [0, 1, 2, 3], "x_um": [0.0, 50.0, 50.0, 2.0], "y_um": 0.0})
    found = read_detections(table)
    states = states_along(found, np.array([1, 2, 2, 1]), motions)
    expected = mixture.start(found.position_um[:1], motions)
    for _ in range(3):
        expected = mixture.advance(expected, motions)
    expected = mixture.correct(expected, found.position_um[3:], motions.noise_variance)
    assert np.allclose(states.values[:, 3], expected.values[:, 0])


@pytest.mark.parametrize(("apart", "heeded"), [(12, True), (13, False)])
def test_a_filled_gap_heeds_detections_up_to_twelve_frames_off(apart: int, heeded: bool) -> None:
    frames = [0, apart - 1, apart, apart + 3, apart + 4]
    table = pd.DataFrame({"track_id": 1, "frame": frames, "y_um": 0.0, "x_um": np.sqrt(frames)})
    places = []
    for first in (0.0, 9.0):
        moved = table.assign(interpolated=False, y_um=[first, 0.0, 0.0, 0.0, 0.0])
        filled = fill_gaps(moved)
        last = filled.interpolated & (filled.frame > apart)
        places.append(filled.y_um[last].to_numpy())
    assert (not np.allclose(*places, atol=1e-9)) == heeded


def test_two_rows_that_want_one_column_alike_get_it_once() -> None:
    chosen = assign(np.array([0, 1]), np.array([0, 0]), np.full(2, -1.0), (2, 1))
    assert len(chosen) == 1


def test_who_turns_back_at_each_step_is_filled_in_straight() -> None:
    frame = np.array([0, 1, 2, 3, 7, 8, 9, 10])
    table = pd.DataFrame({"track_id": 1, "frame": frame, "y_um": 0.0, "x_um": (-1.0) ** frame})
    filled = fill_gaps(table.assign(interpolated=False))
    x_um = filled[filled.interpolated].sort_values("frame").x_um.to_numpy()
    assert np.diff(x_um, n=2) == pytest.approx(0.0, abs=1e-6)
