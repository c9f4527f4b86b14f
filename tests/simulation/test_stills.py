"""Independent pairs for training: varied, repeatable, splittable over workers."""

from __future__ import annotations

import numpy as np
import pytest

from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.progress import CancelToken, Progress
from napari_virtualstain.simulation import SceneConfig, simulate_frames


def test_a_set_is_the_same_however_it_is_shared_out() -> None:
    whole = list(simulate_frames(3, size=48, seed=4))
    parts = [*simulate_frames(1, size=48, seed=4), *simulate_frames(2, size=48, seed=4, start=1)]
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.bright_field, other.bright_field)
        assert np.array_equal(one.labels, other.labels)
        assert one.config == other.config


def test_pairs_differ_in_scene_optics_and_light() -> None:
    stills = list(simulate_frames(6, size=48, seed=1))
    assert len({still.fluorescence.tobytes() for still in stills}) == 6
    assert len({still.config.microscope for still in stills}) > 1
    assert len({still.config.cell.crowding for still in stills}) == 6


def test_labels_count_from_1_without_gaps() -> None:
    for still in simulate_frames(4, size=64, seed=2, density=(5, 10)):
        found = np.unique(still.labels)
        assert found.tolist() == list(range(len(found)))
        assert np.array_equal(still.in_focus, still.labels > 0)
        assert still.fluorescence.dtype == np.uint16


def test_settings_stay_when_nothing_is_to_vary() -> None:
    config = SceneConfig()
    for still in simulate_frames(2, size=32, config=config, vary=False):
        assert still.config is config


def test_progress_is_told_and_cancelling_stops_between_pairs() -> None:
    told: list[Progress] = []
    token = CancelToken()
    pairs = simulate_frames(5, size=32, progress=told.append, cancel=token)
    next(pairs)
    token.cancel()
    with pytest.raises(CancelledError):
        next(pairs)
    assert told[-1].total == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number": -1}, "-1"),
        ({"number": 1, "density": (0, 3)}, "density is"),
        ({"number": 1, "density": (5, 3)}, "the lower first"),
        ({"number": 1, "size": 3}, "size is 3"),
    ],
)
def test_impossible_settings_are_refused_at_once(arguments, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_frames(**arguments)
