"""Motion analysis against trackpy and against motion whose numbers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.tracking import (
    Tracks,
    analyse_motion,
    event_rates,
    mean_squared_displacement,
)


def moved(steps: np.ndarray, interval_s: float = 2.0) -> Tracks:
    """Return tracks of steps, shape (frames, objects, 2)."""
    place = steps.cumsum(axis=0)
    frame, name = np.indices(place.shape[:2])
    table = pd.DataFrame({"track_id": name.ravel() + 1, "frame": frame.ravel()})
    table["y_um"], table["x_um"] = place[..., 0].ravel(), place[..., 1].ravel()
    return Tracks.from_table(table, frame_interval_s=interval_s)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of trackpy's own use of pandas
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*inplace.*")
def test_the_mean_squared_displacement_is_trackpys() -> None:
    motion = pytest.importorskip("trackpy.motion")
    rng = np.random.default_rng(0)
    tracks = moved(rng.normal(0, 1, (40, 3, 2)))
    table = tracks.table[rng.random(len(tracks.table)) > 0.1]
    ours = mean_squared_displacement(Tracks.from_table(table, frame_interval_s=2.0))
    renamed = table.rename(columns={"x_um": "x", "y_um": "y", "track_id": "particle"})
    theirs = motion.imsd(renamed, mpp=1, fps=0.5, max_lagtime=10)
    for name, part in ours.groupby("track_id"):
        assert np.allclose(part.msd_um2, theirs[name].to_numpy(), rtol=1e-9)
        assert np.allclose(part.lag_s, theirs.index)


@pytest.mark.parametrize(("positions", "asked", "longest"), [(9, 3, 3), (9, 8, 8), (3, 8, 2)])
def test_lags_reach_as_far_as_asked_and_the_track(positions: int, asked: int, longest: int) -> None:
    found = mean_squared_displacement(moved(np.ones((positions, 1, 2))), largest_lag=asked)
    assert found.lag.tolist() == list(range(1, longest + 1))
    assert found.pairs.tolist() == [positions - lag for lag in range(1, longest + 1)]


def test_diffusion_has_its_coefficient_and_exponent() -> None:
    rng = np.random.default_rng(1)
    found = analyse_motion(moved(rng.normal(0, 0.3, (400, 30, 2))), largest_lag=6)
    assert found.exponent.mean() == pytest.approx(1.0, abs=0.05)
    assert found.diffusion_um2_s.mean() == pytest.approx(0.3**2 / (2 * 2.0), rel=0.1)
    assert (found.motion == "diffusive").mean() > 0.9
    assert abs(found.persistence.mean()) < 0.05


def test_directed_and_confined_motion_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    directed = analyse_motion(moved(1.0 + rng.normal(0, 0.2, (30, 10, 2))))
    assert set(directed.motion) == {"directed"}
    assert (directed.straightness > 0.9).all()
    still = np.diff(rng.normal(0, 0.2, (60, 10, 2)), axis=0, prepend=0)
    assert set(analyse_motion(moved(still)).motion) == {"confined"}


def test_a_short_track_is_not_judged() -> None:
    found = analyse_motion(moved(np.ones((3, 1, 2))))
    assert found.motion.tolist() == ["unknown"]
    assert found.mean_speed_um_s[0] == pytest.approx(2**0.5 / 2.0)


def test_rates_count_minutes_of_mitochondria() -> None:
    tracks = moved(np.zeros((30, 2, 2)), interval_s=1.0)
    event = {"kind": "fission", "frame": 3, "time_s": 3.0, "y_um": 0.0, "x_um": 0.0}
    event |= {"probability": 1.0, "parents": "1", "children": "2;3"}
    tracks = Tracks.from_table(tracks.table, events=pd.DataFrame([event]), frame_interval_s=1.0)
    assert event_rates(tracks) == {"fission_per_min": 1.0, "fusion_per_min": 0.0}


@pytest.mark.parametrize(
    ("turn", "frames", "persistence"),
    [
        ((0.1, 0.0), (0, 1, 2), 1.0),
        ((0.0, 0.1), (0, 1, 2), 0.0),
        ((-0.1, 0.0), (0, 1, 2), -1.0),
        ((0.1, 0.0), (0, 1, 3), np.nan),  # one of the two steps is over a missing frame
        ((0.0, 0.0), (0, 1, 2), np.nan),  # who rests has no direction
    ],
)
def test_persistence_is_the_cosine_of_steps_from_frame_to_frame(
    turn: tuple[float, float], frames: tuple[int, ...], persistence: float
) -> None:
    place = np.cumsum([(0.0, 0.0), (0.1, 0.0), turn], axis=0)
    table = pd.DataFrame(place, columns=["y_um", "x_um"]).assign(track_id=1, frame=frames)
    found = analyse_motion(Tracks.from_table(table)).persistence[0]
    assert found == pytest.approx(persistence, nan_ok=True)
