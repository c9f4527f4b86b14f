"""Motion of many tracks at once: the same numbers as track by track."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.settings import MotionClassTuning
from napari_virtualstain.tracking import Tracks, analyse_motion, summarise_motion


def _tracks() -> Tracks:
    """Tracks of 1 to 40 positions with gaps: still, diffusing and going straight on."""
    rng, parts = np.random.default_rng(0), []
    for number in range(1, 40):
        frame = np.sort(rng.choice(60, int(rng.integers(1, 40)), replace=False))
        place = np.cumsum(rng.normal(0, 1, (len(frame), 2)), axis=0) * rng.choice([1, 0.01])
        place += np.outer(frame, rng.normal(0, rng.choice([0, 1]), 2))
        rows = {"track_id": 3 * number, "frame": frame, "y_um": place[:, 0], "x_um": place[:, 1]}
        parts.append(pd.DataFrame(rows))
    table = pd.concat(parts, ignore_index=True)
    table["interpolated"] = rng.random(len(table)) < 0.1
    return Tracks.from_table(table, frame_interval_s=2.0)


def _rows(tracks: Tracks) -> pd.DataFrame:
    table = tracks.table
    rows = table.assign(y_px=table.y_um / 0.1, x_px=table.x_um / 0.1)
    return rows.sample(frac=1, random_state=0)


@pytest.mark.parametrize("tuning", [None, MotionClassTuning(directed_exponent=1.1, lag_part=5)])
def test_it_agrees_with_the_analysis_of_each_track(tuning: MotionClassTuning | None) -> None:
    tracks = _tracks()
    one_by_one = analyse_motion(tracks, tuning=tuning).set_index("track_id")
    together = summarise_motion(
        _rows(tracks), pixel_size_um=0.1, frame_interval_s=2.0, tuning=tuning
    )
    assert together.motion.tolist() == one_by_one.motion.tolist()
    assert set(together.motion) == {"unknown", "directed", "diffusive", "confined"}
    for name in ("exponent", "diffusion_um2_s"):
        np.testing.assert_allclose(together[name], one_by_one[name], rtol=1e-9)


@pytest.mark.parametrize(("lag", "counts"), [(10, True), (11, False)])
def test_ten_lags_count(lag: int, counts: bool) -> None:
    # of an object that goes there and back: the exponent with and without a lag differ
    steps = np.sin(2 * np.pi * np.arange(66) / 22)
    table = pd.DataFrame({"track_id": 1, "frame": range(66), "y_um": 0.0, "x_um": steps})
    tracks = Tracks.from_table(table, frame_interval_s=1.0)
    rows = table.rename(columns={"x_um": "x_px", "y_um": "y_px"})
    together = summarise_motion(rows, pixel_size_um=1.0, frame_interval_s=1.0).exponent.item()
    up_to, less = (analyse_motion(tracks, largest_lag=k).exponent.item() for k in (lag, lag - 1))
    assert (abs(together - up_to) < 1e-9) == counts
    assert (abs(together - less) < 1e-9) != counts


def test_no_rows_give_no_motion() -> None:
    rows = _rows(_tracks())[:0]
    assert summarise_motion(rows, pixel_size_um=1.0, frame_interval_s=1.0).empty
