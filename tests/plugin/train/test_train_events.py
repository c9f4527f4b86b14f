"""What a training of the dock reads, and which of its steps reach the window."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_virtualstain.plugin.kit.preferences import Preferences
from napari_virtualstain.plugin.train import job
from napari_virtualstain.plugin.train.dock_settings import DockSettings
from napari_virtualstain.plugin.train.drawn_regions import DrawnRegion
from napari_virtualstain.plugin.train.patches import _grey
from napari_virtualstain.plugin.train.sources import PairSource
from napari_virtualstain.progress import CancelToken, Progress
from napari_virtualstain.training import PlaneReading, StepFinished, TrainingFinished, preset


def _settings(**given: Any) -> DockSettings:
    return DockSettings(pixel_size_um=0.08, **given)


def _request(*sources: PairSource, **given: Any) -> Any:
    return SimpleNamespace(
        sources=sources, settings=_settings(**given), preferences=Preferences(), shown=()
    )


class _Context:
    def __init__(self) -> None:
        self.cancel, self.heard = CancelToken(), []

    def progress(self, progress: Progress) -> None:
        self.heard.append(progress)

    def wait_until_shown(self, **_: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("steps", "shown"), [(4, [1, 4]), (12, [1, 5, 10, 12]), (15, [1, 5, 10, 15])]
)
def test_the_first_each_fifth_and_the_last_step_are_drawn(
    monkeypatch: pytest.MonkeyPatch, steps: int, shown: list[int]
) -> None:
    events = [StepFinished(n, steps, 0.5, {}, 1e-3, 1.0 * n) for n in range(1, steps + 1)]
    monkeypatch.setattr(job, "configured", lambda *_: (preset(), [1, 2]))
    monkeypatch.setattr(job, "_events", lambda *_: iter([*events, TrainingFinished("result")]))
    monkeypatch.setattr(job, "_compared", lambda *_: iter(()))
    context, returned = _Context(), []

    def followed() -> Any:
        returned.append((yield from job.train_job(_request(), context)))

    seen = list(followed())
    assert returned == ["result"]
    assert [event.step for event in seen[:-1]] == shown
    said = [progress.step for progress in context.heard]
    assert said[1].startswith("checking 2 pairs")
    assert said[-1] == "judging the held-out images, writing the model"
    assert len(said) == 2 + steps + 1


@pytest.mark.parametrize(("shape", "axes"), [((14, 4, 6), "tyx"), ((14, 5, 4, 6), "tzyx")])
def test_scenes_are_made_like_a_dozen_frames_of_the_middle_plane(
    shape: tuple[int, ...], axes: str
) -> None:
    movie = np.arange(np.prod(shape)).reshape(shape)
    checked: list[int] = []
    frames = job._frames_of(PairSource("cell", movie, None, axes), lambda: checked.append(1))
    assert len(frames) == len(checked) == 12
    middle = movie if axes == "tyx" else movie[:, 2]
    np.testing.assert_array_equal(frames[0], middle[0])
    np.testing.assert_array_equal(frames[-1], middle[-1])
    (single,) = job._frames_of(PairSource("cell", middle[:3], None, "zyx"), lambda: None)
    np.testing.assert_array_equal(single, middle[1])


def _pairs(source: PairSource, **given: Any) -> Any:
    room = SimpleNamespace(holds=lambda _: True)
    reading = PlaneReading(planes=1)
    return job._pairs_of(source, _settings(**given), reading, room, lambda: None, several=False)


def _movie(frames: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    light = rng.normal(100, 5, (frames, 64, 64)).astype(np.float32)
    return light, 10 * light


def test_the_last_quarter_is_a_group_of_its_own() -> None:
    pairs = _pairs(PairSource("cell", *_movie(), "tyx"), by="time")
    assert pairs.groups == ("first frames",) * 6 + ("last frames",) * 2
    assert pairs.pixel_size_um == 0.08
    np.testing.assert_array_equal(pairs.fluorescence[7], _movie()[1][7])


def test_a_region_is_a_group_and_may_hold_for_one_frame() -> None:
    regions = DrawnRegion(1, (0, 0, 32, 32)), DrawnRegion(2, (32, 8, 64, 64), frame=5)
    pairs = _pairs(PairSource("cell", *_movie(), "tyx", regions=regions), by="region")
    assert sorted(pairs.groups) == ["region 1"] * 8 + ["region 2"]
    place = pairs.groups.index("region 2")
    np.testing.assert_array_equal(pairs.fluorescence[place], _movie()[1][5, 32:, 8:])
    whole = _pairs(PairSource("cell", *_movie(2), "tyx"), by="region")
    assert whole.groups == ("cell, whole images",) * 2
    assert _pairs(PairSource("cell", *_movie(2), "tyx"), by="pair").groups == ("cell",) * 2


@pytest.mark.parametrize("is_lazy", [False, True])
def test_sparse_fluorescence_meets_the_frames_of_its_times(is_lazy: bool) -> None:
    light, glow = _movie()
    given = da.from_array(light, chunks=(1, 64, 64)) if is_lazy else light
    pairs = _pairs(PairSource("cell", given, glow[[1, 4]], "tyx", frames=(1, 4)), by="time")
    assert len(pairs) == 2
    for number, frame in enumerate((1, 4)):
        np.testing.assert_array_equal(np.squeeze(pairs.bright_field[number]), light[frame])
        np.testing.assert_array_equal(pairs.fluorescence[number], glow[frame])


def test_held_out_images_are_shown_from_the_1st_to_the_998th_thousandth() -> None:
    values = np.arange(1001.0).reshape(7, 143)
    grey = _grey(values).ravel()
    assert grey[10] == 0 < grey[20] <= 3
    assert grey[998] == 255 > grey[980]
    assert _grey(values, (0, 2000)).max() == 127
    assert _grey(np.full((3, 3), 7.0)).max() == 0


def _cell(name: str, first: int, frames: int = 8) -> PairSource:
    regions = DrawnRegion(first, (0, 0, 32, 64)), DrawnRegion(first + 1, (32, 0, 64, 64))
    return PairSource(name, *_movie(frames), "tyx", regions=regions)


@pytest.mark.parametrize(
    ("by", "names", "held_out"),
    [
        ("region", ["region 1", "region 2"], ("region 2",)),
        (
            "region",
            ["a, region 1", "a, region 2", "b, region 3", "b, region 4"],
            ("b, region 4",),
        ),
        ("time", ["first frames", "last frames"], ("last frames",)),
        ("pair", ["a", "b"], ("b",)),
    ],
)
def test_what_is_held_out_is_a_group_of_the_pairs(
    by: str, names: list[str], held_out: tuple[str, ...]
) -> None:
    sources = (_cell("a", 1), _cell("b", 3))[: 1 if len(names) == 2 and by == "region" else 2]
    request = _request(*sources, by=by)
    assert job.held_out_groups(sources, request.settings) == held_out
    pairs = job.collect_pairs(request, PlaneReading(1))
    assert sorted(set(pairs.groups)) == names
    assert len(set(pairs.names)) == len(pairs)  # reports and messages tell pairs by name


def test_regions_of_planes_and_of_frames_without_fluorescence_are_left_out() -> None:
    """A region of one frame holds for each of its planes, and for no other frame."""
    light, glow = (image.reshape(4, 2, 64, 64) for image in _movie(8))
    regions = (DrawnRegion(1, (0, 0, 32, 32), frame=3), DrawnRegion(2, (32, 0, 64, 32), frame=0))
    pairs = _pairs(PairSource("cell", light, glow, "tzyx", regions=regions), by="region")
    assert sorted(pairs.groups) == ["region 1"] * 2 + ["region 2"] * 2
    last = [n for n, group in enumerate(pairs.groups) if group == "region 1"]
    for number, plane in zip(last, (0, 1), strict=True):
        np.testing.assert_array_equal(pairs.fluorescence[number], glow[3, plane, :32, :32])
    sparse = PairSource("cell", light, glow[[0, 3]], "tzyx", frames=(0, 3), regions=regions)
    assert sorted(_pairs(sparse, by="region").groups) == sorted(pairs.groups)
