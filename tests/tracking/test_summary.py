"""Reasons why a track is doubtful, on both sides of each number, and the risk they make."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.tracking import summarise_tracks, track_rows


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
    assert why(quality=0.0).risk == pytest.approx(0.7)
    assert why(quality=0.6, last_step=9.0, gap=True).risk == pytest.approx(0.7 * 0.4 + 2 * 0.15)
    assert why(quality=0.0, last_step=9.0, area=9.0, gap=True).risk == 1
