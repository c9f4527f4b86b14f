"""Reasons why a track is doubtful, on both sides of each number, and the risk they make."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.tracking import next_risky, summarise_tracks, track_rows


def why(
    quality: float = 1.0, last_step: float = 1.0, area: float = 1.0, gap: bool = False
) -> pd.Series:
    """Return the row of a track of steps of 1 µm, the last of which is as given."""
    frames = np.arange(8)
    x = np.append(frames[:-1], frames[-2] + last_step).astype(float)
    places = np.column_stack([np.ones(8), frames, np.zeros(8), x])
    features = pd.DataFrame(
        {
            "quality": [quality] + [1.0] * 7,
            "area_um2": [1.0] * 7 + [area],
            "interpolated": [False] * 3 + [gap] + [False] * 4,
        }
    )
    rows = track_rows(places, features)
    return summarise_tracks(rows, pixel_size_um=1.0, frame_interval_s=1.0).iloc[0]


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        ({"quality": 0.51}, ""),
        ({"quality": 0.49}, "doubtful link"),
        ({"last_step": 4.9}, ""),
        ({"last_step": 5.1}, "jump"),
        ({"area": 1.95}, ""),
        ({"area": 2.05}, "area jump"),
        ({"area": 1 / 2.05}, "area jump"),
        ({"gap": True}, "gap"),
    ],
)
def test_a_reason_is_given_from_its_number_on(track: dict[str, float], reason: str) -> None:
    assert why(**track).why == reason


def test_risk_is_mostly_quality_and_a_little_of_each_reason() -> None:
    assert why().risk == 0
    assert why(quality=0.0).risk == why(quality=-0.4).risk == pytest.approx(0.7)
    assert why(quality=0.6, last_step=9.0, gap=True).risk == pytest.approx(0.7 * 0.4 + 2 * 0.15)
    assert why(quality=0.0, last_step=9.0, area=9.0, gap=True).risk == 1


def _risks(*risks: float) -> pd.DataFrame:
    return pd.DataFrame({"risk": risks, "verdict": ""})


def test_a_risk_of_0_15_is_worth_a_look_and_less_is_not() -> None:
    assert next_risky(_risks(0.149, 0.15), None, 1) == 1
    assert next_risky(_risks(0.149, 0.149), None, 1) is None
    assert next_risky(_risks(0.3, 0.3), None, 1, least=0.4) is None


def test_the_walk_through_risky_tracks_goes_round_both_ways() -> None:
    table = _risks(0.9, 0.5, 0.4)
    assert [next_risky(table, row, 1) for row in (None, 0, 1, 2)] == [0, 1, 2, 0]
    assert [next_risky(table, row, -1) for row in (None, 0, 1, 2)] == [2, 2, 0, 1]
    # the only one is met again after one round
    assert next_risky(_risks(0.1, 0.9), 1, 1) == 1


def test_steps_are_those_between_frames_and_areas_are_compared_both_ways() -> None:
    places = np.array([[1, 0, 0, 0], [1, 2, 0, 40], [1, 3, 0, 60]])
    rows = track_rows(places, pd.DataFrame({"area_um2": [1.0, 3.0, 3.0]}))
    one = summarise_tracks(rows, pixel_size_um=0.1, frame_interval_s=4.0).iloc[0]
    assert one.speed_um_per_s == pytest.approx(2.0 / 4.0)
    assert one.why == "area jump"
    assert (one.frames, one["first"], one["last"], one.gaps) == (3, 0, 3, 0)
    # the usual step of the whole movie, and a pixel where that is shorter
    for typical, why_ in ((0.39, "jump, area jump"), (0.41, "area jump"), (0.0, "jump, area jump")):
        found = summarise_tracks(
            rows, pixel_size_um=0.1, frame_interval_s=4.0, typical_step_um=typical
        )
        assert found.loc[0, "why"] == why_
    slow = track_rows(places * [1, 1, 1, 0.01], pd.DataFrame({"area_um2": [1.0, 1.0, 1.0]}))
    found = summarise_tracks(slow, pixel_size_um=0.1, frame_interval_s=4.0, typical_step_um=0.0)
    assert found.loc[0, "why"] == ""
