"""Scores of tracks: against TrackEval, hand-counted cases, bad input."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.metrics import event_scores, identity_scores


def _walkers(count: int = 12, frames: int = 30, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.15, (count, frames, 2)).cumsum(axis=1) + rng.uniform(
        0, 6, (count, 1, 2)
    )
    index = pd.MultiIndex.from_product([range(1, count + 1), range(frames)])
    table = index.to_frame(index=False, name=["track_id", "frame"])
    table[["y_um", "x_um"]] = steps.reshape(-1, 2)
    return table


def _spoilt(truth: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return tracks with noise, misses, ghosts, cuts and swapped identities."""
    rng = np.random.default_rng(seed)
    tracks = truth[rng.random(len(truth)) > 0.1].copy()
    tracks[["y_um", "x_um"]] += rng.normal(0, 0.12, (len(tracks), 2))
    cut = (tracks.track_id % 3 == 0) & (tracks.frame > 14)
    tracks.loc[cut, "track_id"] += 100
    swap = tracks.frame > 20
    tracks.loc[swap, "track_id"] = tracks.loc[swap, "track_id"].replace({1: 2, 2: 1})
    ghosts = pd.DataFrame(
        {
            "track_id": 500 + np.arange(15),
            "frame": rng.integers(0, 30, 15),
            "y_um": rng.uniform(0, 6, 15),
            "x_um": rng.uniform(0, 6, 15),
        }
    )
    return pd.concat([tracks, ghosts], ignore_index=True)


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_trackevals(seed: int) -> None:
    trackeval = pytest.importorskip("trackeval", reason="TrackEval is not installed")
    from scipy.spatial.distance import cdist

    truth = _walkers(seed=seed)
    tracks = _spoilt(truth, seed)
    known = {k: i for i, k in enumerate(truth.track_id.unique())}
    given = {k: i for i, k in enumerate(tracks.track_id.unique())}
    data = {
        "num_timesteps": 30,
        "num_gt_ids": len(known),
        "num_tracker_ids": len(given),
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(tracks),
        "gt_ids": [],
        "tracker_ids": [],
        "similarity_scores": [],
    }
    for frame in range(30):
        g, p = truth[truth.frame == frame], tracks[tracks.frame == frame]
        data["gt_ids"].append(g.track_id.map(known).to_numpy())
        data["tracker_ids"].append(p.track_id.map(given).to_numpy())
        distance = cdist(g[["y_um", "x_um"]], p[["y_um", "x_um"]])
        data["similarity_scores"].append(np.clip(1 - distance / (2 * 0.5), 0, 1))
    quiet = {"PRINT_CONFIG": False, "THRESHOLD": 0.5}
    identity = trackeval.metrics.Identity(quiet).eval_sequence(data)
    clear = trackeval.metrics.CLEAR(quiet).eval_sequence(data)
    ours = identity_scores(tracks, truth, search_radius_um=0.5)
    assert ours["idf1"] == pytest.approx(identity["IDF1"])
    assert ours["id_precision"] == pytest.approx(identity["IDP"])
    assert ours["id_recall"] == pytest.approx(identity["IDR"])
    assert ours["mota"] == pytest.approx(clear["MOTA"])
    assert ours["id_switches"] == clear["IDSW"] > 3
    assert ours["detection_recall"] == pytest.approx(clear["CLR_Re"])


def test_perfect_tracks_and_names_that_mean_nothing() -> None:
    truth = _walkers()
    scores = identity_scores(truth.assign(track_id=1000 - truth.track_id).sample(frac=1), truth)
    assert (scores["idf1"], scores["mota"], scores["id_switches"]) == (1, 1, 0)


def test_a_gap_is_no_switch_but_a_new_name_after_it_is() -> None:
    truth = pd.DataFrame({"track_id": 1, "frame": range(10), "y_um": 0.0, "x_um": 0.0})
    gap = truth.drop(index=[4, 5])
    assert identity_scores(gap, truth)["id_switches"] == 0
    renamed = gap.assign(track_id=np.where(gap.frame > 5, 2, 1))
    assert identity_scores(renamed, truth)["id_switches"] == 1
    assert identity_scores(renamed, truth)["idf1"] == pytest.approx(2 * 4 / 18)


def test_nothing_found_and_nothing_to_find() -> None:
    truth = _walkers(count=1)
    assert identity_scores(truth.iloc[:0], truth)["idf1"] == 0
    assert math.isnan(identity_scores(truth.iloc[:0], truth.iloc[:0])["idf1"])


def test_events_match_one_to_one_within_time_and_distance() -> None:
    truth = pd.DataFrame(
        {
            "kind": ["fission", "fission", "fusion"],
            "frame": [5, 9, 5],
            "y_um": [1.0, 1.0, 4.0],
            "x_um": [1.0, 1.0, 4.0],
        }
    )
    assert event_scores(truth, truth)["fission_f1"] == 1
    late = truth.assign(frame=truth.frame + 3)
    # the first comes 3 frames late, which is 1 frame before the second: one of the two counts
    assert event_scores(late, truth)["fission_recall"] == 0.5
    assert event_scores(late, truth)["fusion_f1"] == 0
    for apart, score in ((1.0, 1), (1.01, 0), (2, 0)):  # the radius is 1 um
        far = truth.assign(y_um=truth.y_um + apart)
        assert event_scores(far, truth)["fission_f1"] == score
    assert math.isnan(event_scores(truth.iloc[:0], truth.iloc[:0])["fusion_f1"])


def test_near_events_are_matched_before_far_ones() -> None:
    # each predicted event lies on the next true one, and just within the radius of its own
    truth = pd.DataFrame({"kind": "fission", "frame": 5, "y_um": 0.0, "x_um": [0.0, 0.9, 1.8]})
    shifted = truth.assign(x_um=truth.x_um + 0.9)
    assert event_scores(shifted, truth)["fission_recall"] == pytest.approx(2 / 3)


def test_bad_tracks_get_a_plain_message() -> None:
    truth = _walkers(count=2)
    with pytest.raises(InputError, match="predicted tracks lack x_um"):
        identity_scores(truth.drop(columns="x_um"), truth)
    with pytest.raises(InputError, match="Track 1 of the reference tracks is twice in frame 0"):
        identity_scores(truth, pd.concat([truth, truth.head(1)]))
    with pytest.raises(InputError, match="NaN or infinity"):
        identity_scores(truth.assign(y_um=np.nan), truth)
    with pytest.raises(InputError, match="search radius is 0"):
        identity_scores(truth, truth, search_radius_um=0)


def test_bad_events_get_a_plain_message() -> None:
    events = pd.DataFrame({"kind": ["fission"], "frame": [3], "y_um": [1.0], "x_um": [1.0]})
    with pytest.raises(InputError, match="reference events lack kind"):
        event_scores(events, events.drop(columns="kind"))
    with pytest.raises(InputError, match="search radius is 0"):
        event_scores(events, events, search_radius_um=0)
    with pytest.raises(InputError, match="tolerance is -1"):
        event_scores(events, events, frame_tolerance=-1)


def test_as_many_events_as_possible_are_matched() -> None:
    # the first lies nearest to the second true one, but both can be matched
    truth = pd.DataFrame({"kind": "fission", "frame": 5, "y_um": 0.0, "x_um": [0.0, 1.8]})
    found = truth.assign(x_um=[0.95, -0.95])
    scores = event_scores(found, truth, search_radius_um=1.0)
    assert scores["fission_recall"] == 1


@pytest.mark.parametrize(("late", "apart", "counts"), [(2, 1.0, 1), (3, 1.0, 0), (2, 1.01, 0)])
def test_an_event_counts_up_to_the_radius_and_the_tolerance(
    late: int, apart: float, counts: int
) -> None:
    truth = pd.DataFrame({"kind": ["fusion"], "frame": [5], "y_um": [0.0], "x_um": [0.0]})
    found = truth.assign(frame=5 + late, y_um=apart)
    scores = event_scores(found, truth, search_radius_um=1.0, frame_tolerance=2)
    assert scores["fusion_recall"] == counts


@pytest.mark.parametrize(("apart", "counts"), [(0.49, 1), (0.51, 0)])
def test_a_position_counts_up_to_half_a_micrometre(apart: float, counts: int) -> None:
    truth = _walkers(3, 4)
    found = truth.assign(y_um=truth.y_um + apart)
    assert (identity_scores(found, truth[truth.track_id < 9])["detection_recall"] > 0.9) == counts
