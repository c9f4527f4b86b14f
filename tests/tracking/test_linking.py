"""Identities of detections: properties of `link` and its answers to bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import napari_virtualstain as vs
from napari_virtualstain.errors import AxesError, InputError
from napari_virtualstain.progress import Progress
from napari_virtualstain.tracking import TrackingConfig


def walkers(
    count: int = 20, frames: int = 30, spacing: float = 20.0, step: float = 0.5, seed: int = 0
) -> pd.DataFrame:
    """Return exact tracks ``frame y_um x_um track`` of random walks that begin on a grid."""
    rng = np.random.default_rng(seed)
    begin = spacing * np.stack(np.divmod(np.arange(count), 5), axis=-1)
    place = begin + rng.normal(0, step, (frames, count, 2)).cumsum(0)
    frame, track = np.indices((frames, count))
    return pd.DataFrame(
        {
            "frame": frame.ravel(),
            "y_um": place[..., 0].ravel(),
            "x_um": place[..., 1].ravel(),
            "track": track.ravel(),
        }
    )


def names_of(truth: pd.DataFrame, tracks: vs.Tracks) -> pd.Series:
    """Return for each truth track the tracks that its rows got."""
    merged = truth.merge(tracks.table, on=["frame", "y_um", "x_um"])
    assert len(merged) == len(truth)
    return merged.groupby("track").track_id.unique()


@pytest.mark.parametrize("mode", ["extended", "paper"])
def test_sparse_walkers_keep_their_identity(mode: str) -> None:
    truth = walkers()
    tracks = vs.link(truth.drop(columns="track"), mode=mode)
    assert (names_of(truth, tracks).map(len) == 1).all()
    assert len(tracks) == 20


@pytest.mark.parametrize("mode", ["extended", "paper"])
def test_the_order_of_rows_changes_nothing(mode: str) -> None:
    truth = walkers(seed=1)
    one = vs.link(truth, mode=mode).table
    other = vs.link(truth.sample(frac=1, random_state=3), mode=mode).table
    keys = ["frame", "y_um", "x_um"]
    both = one.merge(other, on=keys)
    assert len(both) == len(one)
    assert both.groupby("track_id_x").track_id_y.nunique().eq(1).all()


def test_the_unit_of_length_changes_nothing() -> None:
    truth = walkers(spacing=4, seed=2)
    scaled = truth.assign(y_um=truth.y_um * 1000, x_um=truth.x_um * 1000)
    assert np.array_equal(vs.link(truth).table.track_id, vs.link(scaled).table.track_id)


def test_a_missing_frame_is_filled_and_marked() -> None:
    seen = pd.DataFrame({"frame": [0, 1, 2, 4, 5], "y_um": 0.0, "x_um": [0, 1, 2, 4, 5.0]})
    table = vs.link(seen).table
    assert table.track_id.nunique() == 1
    filled = table[table.interpolated]
    assert filled.frame.tolist() == [3]
    assert filled.x_um.iloc[0] == pytest.approx(3.0, abs=0.3)
    assert filled.label.tolist() == [0]


def test_a_gap_longer_than_allowed_ends_the_track() -> None:
    seen = pd.DataFrame({"frame": [0, 1, 2, 7, 8, 9], "y_um": 0.0, "x_um": 0.0})
    assert len(vs.link(seen, max_gap=3)) == 2
    assert len(vs.link(seen, max_gap=4)) == 1


def test_the_search_radius_is_kept() -> None:
    seen = pd.DataFrame({"frame": [0, 1, 2, 3], "y_um": 0.0, "x_um": [0.0, 1.0, 2.0, 12.0]})
    table = vs.link(seen, search_radius_um=3.0).table
    step = table.groupby("track_id").x_um.diff().abs().max()
    assert step <= 3.0


def test_no_detections_give_no_tracks() -> None:
    tracks = vs.link(pd.DataFrame({"frame": [], "y_um": [], "x_um": []}))
    assert len(tracks) == 0
    assert tracks.to_napari()[0].shape == (0, 4)


def test_one_frame_gives_a_track_for_each_detection() -> None:
    tracks = vs.link(pd.DataFrame({"frame": 0, "y_um": [1.0, 1.0, 4.0], "x_um": [2.0, 2.0, 5.0]}))
    assert len(tracks) == 3


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"frame": [0, 1], "y_um": [0, np.nan], "x_um": [0, 0]}, "rows 1"),
        ({"frame": [0, 1], "y_um": [0, np.inf], "x_um": [0, 0]}, "no finite number"),
        ({"frame": [0, 1.5], "y_um": [0, 1], "x_um": [0, 0]}, "fractions"),
        ({"frame": [0], "x": [1], "y": [2]}, "y_um, x_um"),
        ({"frame": [0], "y_um": ["a"], "x_um": [2]}, "no finite number"),
    ],
)
def test_unusable_detections_are_named(table: dict[str, list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        vs.link(pd.DataFrame(table))


@pytest.mark.parametrize(
    "setting",
    [
        {"search_radius_um": -1.0},
        {"search_radius_um": np.nan},
        {"max_gap": -1},
        {"max_gap": 1.5},
        {"frame_interval_s": 0.0},
        {"mode": "magic"},
    ],
)
def test_impossible_settings_are_named(setting: dict[str, object]) -> None:
    with pytest.raises(InputError, match="expected"):
        vs.link(walkers(2, 2), **setting)


def test_labels_without_time_or_with_fractions_are_refused() -> None:
    with pytest.raises(AxesError, match="leading time axis"):
        vs.track(np.zeros((8, 8), int))
    with pytest.raises(InputError, match="whole numbers"):
        vs.track(np.zeros((2, 8, 8)))


def test_a_lone_object_that_jumps_keeps_its_identity() -> None:
    truth = walkers(8, 24, spacing=60.0, step=0.3, seed=5)
    jumped = (truth.track == 3) & (truth.frame >= 12)
    truth.loc[jumped, "x_um"] += 6.0
    tracks = vs.link(truth)
    assert (names_of(truth, tracks).map(len) == 1).all()
    assert (tracks.table.reason == "jump").sum() == 1
    assert len(vs.link(truth, search_radius_um=3.0)) == 9


@pytest.mark.parametrize(("step", "missing"), [(1, [5]), (2, [11])])
def test_only_frames_that_were_taken_can_be_missing(step: int, missing: list[int]) -> None:
    """A movie whose frames are numbered 1, 3, 5 has no frame 2 to be filled in."""
    frame = np.delete(np.arange(9), 5 if step == 2 else 4)
    seen = pd.DataFrame({"frame": 1 + step * frame, "y_um": 0.1 * frame, "x_um": 0.0})
    other = pd.DataFrame({"frame": 1 + step * np.arange(9), "y_um": 5.0, "x_um": 9.0})
    table = vs.link(pd.concat([seen, other])).table
    assert table[table.interpolated].frame.tolist() == missing


@pytest.mark.parametrize("settings", [{}, {"mode": "paper"}, {"linker": "trackpy"}])
def test_progress_counts_up_to_its_end(settings: dict[str, str]) -> None:
    labels = np.zeros((5, 8, 8), int)
    labels[[0, 1, 3, 4], 2:4, 2:4] = 1  # nothing in the middle frame
    for work in (
        lambda tell: vs.track(labels, config=TrackingConfig(**settings), progress=tell),
        lambda tell: vs.link(walkers(), config=TrackingConfig(**settings), progress=tell),
    ):
        told: list[Progress] = []
        work(told.append)
        assert [one.done for one in told] == sorted({one.done for one in told})
        assert {one.total for one in told} <= {told[-1].done if told else 0}
        assert {one.unit for one in told} <= {"step"}


@pytest.mark.parametrize("first", range(4))
def test_who_is_listed_first_is_judged_like_the_rest(first: int) -> None:
    # four objects so near each other that no link is beyond doubt
    truth = walkers(4, 5, spacing=2.5, step=0.7, seed=4)
    usual = vs.link(truth.sort_values(["frame", "track"])).table
    order = np.lexsort((truth.track != first, truth.frame))
    other = vs.link(truth.iloc[order]).table
    keys = ["frame", "y_um", "x_um"]
    both = usual.merge(other, on=keys, suffixes=("", "_other"))
    assert len(both) == len(truth)
    assert np.allclose(both.quality, both.quality_other)
    assert (both.reason == both.reason_other).all()
    assert both.quality[both.frame > 0].max() < 1


def test_two_frames_follow_each_other_whatever_their_numbers() -> None:
    seen = pd.DataFrame({"frame": [0, 7], "y_um": 0.0, "x_um": 0.0})
    assert len(vs.link(seen, max_gap=0)) == 1


def test_in_three_frames_the_last_tells_who_went_where_in_the_first_two() -> None:
    # a crowd whose velocities are constant: half of the nearest places are somebody else's
    rng = np.random.default_rng(1)
    first, velocity = rng.uniform(0, 14, (60, 2)), rng.normal(0, 1, (60, 2))
    places = first + np.arange(3)[:, None, None] * velocity + rng.normal(0, 0.05, (3, 60, 2))
    truth = pd.DataFrame(places.reshape(-1, 2), columns=["y_um", "x_um"])
    truth = truth.assign(frame=np.repeat(np.arange(3), 60), track=np.tile(np.arange(60), 3))
    table = vs.link(truth.drop(columns="track")).table.merge(truth, on=["frame", "y_um", "x_um"])
    steps = table.sort_values(["track_id", "frame"]).groupby("track_id").track.diff().dropna()
    assert (steps == 0).mean() > 0.7
