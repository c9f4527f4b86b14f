"""The error probability of tracks against known truth, and where nothing can be judged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.tracking import judge_errors
from napari_virtualstain.tracking.judging.link_evidence import FEATURES, link_evidence


def walks(count: int = 150, frames: int = 20, side: float = 150.0, seed: int = 0) -> pd.DataFrame:
    """Return true tracks of random walks, steps of 0.3 per axis."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, side, (count, 1, 2)) + rng.normal(0, 0.3, (count, frames, 2)).cumsum(1)
    table = pd.DataFrame(
        {
            "track_id": np.repeat(np.arange(1, count + 1), frames),
            "frame": np.tile(np.arange(frames), count),
        }
    )
    table[["y_um", "x_um"]] = place.reshape(-1, 2)
    return table


def with_swaps(table: pd.DataFrame, pairs: int) -> tuple[pd.DataFrame, set[int]]:
    """Return tracks of which neighbours take each other's place from frame 10 on."""
    table = table.copy()
    here = table[table.frame == 10].set_index("track_id")[["y_um", "x_um"]]
    swapped: set[int] = set()
    for name in here.index:
        apart = ((here - here.loc[name]) ** 2).sum(axis=1).drop(list({name} | swapped))
        if len(swapped) < 2 * pairs and name not in swapped:
            other = int(apart.idxmin())
            later = table.frame >= 10
            one, two = (later & (table.track_id == track) for track in (name, other))
            table.loc[one, "track_id"], table.loc[two, "track_id"] = other, name
            swapped |= {int(name), other}
    return table, swapped


def test_swapped_tracks_come_first_and_the_frame_is_named() -> None:
    table, swapped = with_swaps(walks(), pairs=6)
    errors = judge_errors(table)
    ranked = errors.tracks.sort_values("error_probability", ascending=False)
    # two that were close enough to be mistaken may stay hidden
    found = swapped & set(ranked.index[:15])
    assert len(found) >= 10
    assert (ranked.error_probability.loc[list(found)] > 0.5).all()
    assert ranked.error_probability.iloc[20:].mean() < 0.1
    named = ranked.doubtful_frame.loc[list(found)]
    assert (named.between(9, 11)).mean() >= 0.8
    links = pd.Series(errors.links, table.index)
    assert links[table.frame == 0].isna().all()
    here = table.track_id.isin(found) & (table.frame == 10)
    assert links[here].median() > 10 * links[~here].median()


def test_places_without_relation_are_all_wrong() -> None:
    table = walks(count=1000)
    table[["y_um", "x_um"]] = np.random.default_rng(1).uniform(0, 500, (len(table), 2))
    assert (judge_errors(table).tracks.error_probability > 0.9).all()


def test_unit_order_and_numbering_change_nothing() -> None:
    table, _ = with_swaps(walks(count=60), pairs=3)
    expected = judge_errors(table).tracks.error_probability
    scaled = table.rename(columns={"y_um": "y_px", "x_um": "x_px"})
    scaled[["y_px", "x_px"]] *= 40
    assert np.allclose(judge_errors(scaled).tracks.error_probability, expected, atol=1e-9)
    shuffled = table.sample(frac=1, random_state=0)
    result = judge_errors(shuffled)
    assert np.allclose(result.tracks.error_probability, expected)
    assert np.allclose(
        pd.Series(result.links, shuffled.index).loc[table.index],
        judge_errors(table).links,
        equal_nan=True,
    )
    every_other = table.assign(frame=3 + 2 * table.frame)
    assert np.allclose(judge_errors(every_other).tracks.error_probability, expected)


@pytest.mark.parametrize(("links", "judged"), [(9, False), (10, True)])
def test_fewer_than_ten_links_are_not_judged(links: int, judged: bool) -> None:
    table = walks(count=1, frames=links + 1)
    errors = judge_errors(table)
    assert errors.tracks.error_probability.notna().all() == judged
    assert np.isfinite(errors.links).any() == judged
    assert (errors.tracks.doubtful_frame >= 0).all() == judged


def test_single_detections_and_empty_tables_are_not_judged() -> None:
    table = walks(count=10)
    lone = pd.DataFrame({"track_id": [99], "frame": [4], "y_um": [5.0], "x_um": [5.0]})
    tracks = judge_errors(pd.concat([table, lone], ignore_index=True)).tracks
    assert np.isnan(tracks.error_probability[99])
    assert tracks.error_probability.drop(99).notna().all()
    assert judge_errors(table.iloc[:0]).tracks.empty


def test_a_track_twice_in_a_frame_is_wrong_for_sure() -> None:
    table = walks(count=20)
    twice = table[(table.track_id == 3) & (table.frame == 5)].assign(y_um=lambda t: t.y_um + 0.1)
    tracks = judge_errors(pd.concat([table, twice], ignore_index=True)).tracks
    assert tracks.error_probability[3] > 0.95
    assert tracks.error_probability.drop(3).median() < 0.1


def test_interpolated_rows_are_no_evidence() -> None:
    table = walks(count=30)
    gap = (table.track_id == 4) & table.frame.between(8, 9)
    filled = table.assign(interpolated=gap)
    errors = judge_errors(filled)
    assert np.isnan(errors.links[gap.to_numpy()]).all()
    without = judge_errors(table[~gap]).tracks
    assert np.allclose(errors.tracks.error_probability, without.error_probability)


def test_a_stated_quality_counts_and_a_constant_does_not() -> None:
    table = walks()
    plain = judge_errors(table).tracks.error_probability
    assert np.allclose(judge_errors(table.assign(quality=1.0)).tracks.error_probability, plain)
    rng = np.random.default_rng(3)
    rated = table.assign(quality=rng.uniform(0.97, 1.0, len(table)))
    rated.loc[(rated.track_id == 7) & (rated.frame == 9), "quality"] = 0.05
    judged = judge_errors(rated).tracks
    assert judged.error_probability[7] > 5 * judged.error_probability.median()
    assert judge_errors(table).tracks.error_probability[7] < 0.05
    assert judged.doubtful_frame[7] == 9


def test_the_movie_itself_is_evidence() -> None:
    # of three tracks in frames 0 to 9, one misses a frame, one ends early, one begins late
    frames = [[t for t in range(10) if t != 4], range(6), range(3, 10)]
    rows = [(k + 1, t, 20.0 * k, 0.1 * t) for k, some in enumerate(frames) for t in some]
    table = pd.DataFrame(rows, columns=["track_id", "frame", "y_um", "x_um"])
    table["area_um2"] = np.where(table.frame % 2, 1.0, 1.1)

    def stated(some: pd.DataFrame) -> dict[str, float]:
        features = link_evidence(some).features
        assert (np.ptp(features[:, -3:], axis=0) == 0).all()
        return dict(zip(FEATURES, features[0], strict=True))

    links = 8 + 5 + 6
    found = stated(table)
    assert found["restless"] == pytest.approx(np.log(3 / (2 * links + 2)))
    assert found["gappy"] == pytest.approx(1 / links)
    assert found["unsteady"] == pytest.approx(np.log(np.log(1.1)))
    calm = table[table.track_id == 1].assign(area_um2=1.0)
    assert stated(calm)["restless"] == pytest.approx(np.log(1 / 18))
    assert stated(calm)["unsteady"] == pytest.approx(np.log(0.02))
    assert stated(calm.drop(columns="area_um2"))["unsteady"] == 0


def test_a_track_that_begins_beside_others_takes_nobodys_place() -> None:
    table = walks(count=150, side=8.0)  # a swap is possible in every frame
    late = (table["track_id"] % 3 == 0) & (table["frame"] < 10)
    features = link_evidence(table[~late]).features
    assert np.isfinite(features).all()
