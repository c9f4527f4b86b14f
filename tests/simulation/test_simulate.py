"""The simulated movie: shapes, truth that agrees with itself, identical for a seed."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_virtualstain.errors import CancelledError, InputError, OutputExistsError
from napari_virtualstain.io import open_stack
from napari_virtualstain.progress import CancelToken, Progress
from napari_virtualstain.simulation import (
    Cell,
    Microscope,
    Mitochondria,
    Motion,
    Scene,
    SceneConfig,
    simulate,
    truth,
)
from napari_virtualstain.simulation.rendering import photograph
from napari_virtualstain.simulation.simulate import (
    _check,
    _check_movie,
    _check_room,
    _Stage,
    checked_size,
)
from napari_virtualstain.simulation.surroundings import Surroundings
from napari_virtualstain.simulation.transfer_functions import _radial


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A lively movie: many events in a small field."""
    motion = Motion(fission_rate_per_min=1.0, fusion_rate_per_min=1.0)
    return simulate(frames=16, size=128, count=20, seed=1, config=SceneConfig(motion=motion))


def test_arrays_have_the_shape_and_type_of_a_camera(scene: Scene) -> None:
    assert scene.bright_field.shape == scene.fluorescence.shape == scene.labels.shape
    assert scene.labels.shape == (16, 128, 128)
    assert scene.bright_field.dtype == scene.fluorescence.dtype == np.uint16
    assert scene.labels.dtype == np.int32
    assert 0 < scene.fluorescence.min() < scene.fluorescence.max() < 65535


def test_the_same_seed_gives_the_same_movie_bit_for_bit() -> None:
    one, two = (simulate(frames=3, size=64, count=6, seed=5) for _ in range(2))
    for name in ("bright_field", "fluorescence", "expected_fluorescence", "labels"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert one.tracks.equals(two.tracks)
    assert one.events.equals(two.events)
    other = simulate(frames=3, size=64, count=6, seed=6)
    assert not np.array_equal(other.labels, one.labels)


def test_a_shorter_movie_is_the_beginning_of_a_longer_one() -> None:
    short, long = (simulate(frames=n, size=64, count=6, seed=5) for n in (2, 4))
    assert np.array_equal(short.fluorescence, long.fluorescence[:2])
    assert np.array_equal(short.labels, long.labels[:2])


def test_each_label_is_a_row_of_the_track_table(scene: Scene) -> None:
    for frame, labels in enumerate(scene.labels):
        rows = scene.tracks[scene.tracks["frame"] == frame]
        assert sorted(rows["track_id"]) == np.unique(labels[labels > 0]).tolist()
        assert (rows["track_id"] == rows["label"]).all()
        for row in rows.itertuples():
            pixels = np.argwhere(labels == row.label)
            np.testing.assert_allclose(pixels.mean(axis=0), [row.y_px, row.x_px])
            np.testing.assert_allclose(len(pixels) * 0.08**2, row.area_um2)
    np.testing.assert_allclose(scene.tracks["y_um"], scene.tracks["y_px"] * 0.08)


def test_mitochondria_are_brighter_than_their_surroundings(scene: Scene) -> None:
    inside, outside = scene.fluorescence[scene.in_focus], scene.fluorescence[~scene.in_focus]
    assert np.median(inside) > 1.2 * np.median(outside)


def test_events_are_spaced_and_their_tracks_begin_and_end_there(scene: Scene) -> None:
    events = scene.events
    assert set(events["kind"]) == {"fission", "fusion"}
    assert (np.diff(events["frame"]) >= 3).all()
    first = scene.tracks.groupby("track_id")["frame"].min()
    last = scene.tracks.groupby("track_id")["frame"].max()
    for event in events.itertuples():
        parents = [int(value) for value in event.parents.split(";")]
        children = [int(value) for value in event.children.split(";")]
        shape = (len(parents), len(children))
        assert shape == {"fission": (1, 2), "fusion": (2, 1)}[event.kind]
        assert all(last[parent] == event.frame - 1 for parent in parents)
        assert all(first[child] == event.frame for child in children)
        rows = scene.tracks[scene.tracks["track_id"].isin(children)]
        assert rows["parent"].isin(parents).all()
        near = rows[rows["frame"] == event.frame]
        distance = np.hypot(near["y_um"] - event.y_um, near["x_um"] - event.x_um)
        assert (distance < 3.0).all()
    assert sorted(scene.graph) == sorted(
        int(child) for text in events["children"] for child in text.split(";")
    )


def test_the_ends_that_fuse_had_touched_before(scene: Scene) -> None:
    fusions = scene.events[scene.events["kind"] == "fusion"]
    for event in fusions.itertuples():
        before = scene.labels[event.frame - 1]
        one, two = (np.argwhere(before == int(value)) for value in event.parents.split(";"))
        gap = np.sqrt(((one[:, None] - two[None]) ** 2).sum(-1)).min() * 0.08
        assert gap < 0.4


def test_mitochondria_move_but_do_not_teleport(scene: Scene) -> None:
    steps = scene.tracks.groupby("track_id")[["y_um", "x_um"]].diff().dropna()
    step = np.hypot(steps["y_um"], steps["x_um"])
    assert 0.02 < step.median() < 0.4
    assert step.quantile(0.99) < 2.0


@pytest.mark.parametrize("count", [0, 1, 60])
def test_the_count_is_what_is_in_focus_in_the_field(count: int) -> None:
    labels = simulate(frames=1, count=count, seed=2).labels
    seen = len(np.unique(labels)) - 1
    # Neighbours reach in over the border, and a neighbour can cover one.
    assert count * 0.85 <= seen <= count * 1.35 + 2


def test_density_is_mitochondria_per_100_um2() -> None:
    by_density = simulate(frames=1, size=100, density=12.5, seed=4)
    by_count = simulate(frames=1, size=100, count=8, seed=4)
    assert np.array_equal(by_density.labels, by_count.labels)


def test_rectangles_and_other_pixels_are_welcome() -> None:
    scene = simulate(frames=1, size=(48, 90), count=4, pixel_size_um=0.11, frame_interval_s=0.5)
    assert scene.labels.shape == (1, 48, 90)
    assert (scene.pixel_size_um, scene.frame_interval_s) == (0.11, 0.5)


def test_bleaching_dims_the_movie() -> None:
    config = SceneConfig()
    fast = dataclasses.replace(
        config, mitochondria=dataclasses.replace(config.mitochondria, bleaching_s=10.0)
    )
    scene = simulate(frames=4, size=64, count=6, frame_interval_s=5.0, config=fast)
    light = scene.expected_fluorescence.mean(axis=(1, 2)) - config.camera.background
    np.testing.assert_allclose(light[1:] / light[:-1], np.exp(-0.5), rtol=0.2)


def test_progress_is_told_and_cancelling_stops() -> None:
    told: list[Progress] = []
    simulate(frames=3, size=32, count=1, progress=told.append)
    assert [(p.done, p.total) for p in told] == [(1, 3), (2, 3), (3, 3)]
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        simulate(frames=3, size=32, count=1, cancel=token)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, "frames is 0"),
        ({"frames": 2**32}, "frames is 4294967296"),
        ({"size": 15}, "size is 15"),
        ({"size": (16, 16_385)}, "at most 16384"),
        ({"size": (64, 64, 64)}, "height, width"),
        ({"frames": 15, "size": 16_384}, r"at most 4e\+09 pixels in all"),
        ({"frames": 2.5}, "frames is 2.5"),
        ({"count": 840}, "at most 839"),
        ({"count": 51, "size": 16}, "at most 50"),
        ({"pixel_size_um": 0.0099}, "0.01 to 0.5"),
        ({"pixel_size_um": 0.501}, "0.01 to 0.5"),
        ({"count": -1}, "count is -1"),
        ({"density": -0.1}, "density is -0.1"),
        ({"density": float("nan")}, "density is nan"),
        ({"seed": -3}, "seed is -3"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"pixel_size_um": 0}, "pixel size is 0"),
        ({"frame_interval_s": float("inf")}, "frame interval is inf"),
    ],
)
def test_impossible_settings_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"size": (16, 18), "seed": 2**32 - 1, "count": 1},
        {"size": 16, "density": 0.1},
        {"size": 64, "density": 0},
        {"size": 16, "count": 1, "pixel_size_um": 0.5},
    ],
)
def test_settings_at_the_ends_of_their_range_make_a_scene(settings: dict[str, Any]) -> None:
    assert simulate(frames=1, **settings).bright_field.min() > 0


def test_the_largest_fields_and_movies_are_allowed() -> None:
    """Only checked: such a movie takes hours."""
    assert checked_size((16, 16_384)) == (16, 16_384)
    _check_movie(14, (16_384, 16_384))
    _check(1, 839, 0, None, 0.01, 1e-3)
    _check_room(839, (20.48, 20.48))
    _check_room(50, (0.1, 0.1))


def test_a_saved_scene_reads_back(scene: Scene, tmp_path) -> None:
    folder = scene.save(tmp_path / "scene µm")
    names = {"bright_field.ome.tif", "fluorescence.ome.tif", "labels.ome.tif"}
    names |= {"tracks.csv", "events.csv", "scene.json"}
    assert {path.name for path in folder.iterdir()} == names
    stack = open_stack(folder / "labels.ome.tif")
    assert np.array_equal(np.asarray(stack.data), scene.labels)
    assert stack.pixel_size_um == pytest.approx(0.08)
    assert stack.frame_interval_s == pytest.approx(2.0)
    with pytest.raises(OutputExistsError):
        scene.save(folder)
    scene.save(folder, overwrite=True)


@pytest.mark.parametrize(
    "more",
    [{"clusters": 6.0}, {"nucleoli": 4}, {"stress_fibres": 8.0}, {"chromatin_delta_index": 0.02}],
)
def test_what_is_not_labelled_changes_the_bright_field_only(more: dict[str, float]) -> None:
    plain = simulate(frames=1, size=96, count=6, seed=2)
    busy = simulate(frames=1, size=96, count=6, seed=2, config=SceneConfig(cell=Cell(**more)))
    assert np.array_equal(plain.expected_fluorescence, busy.expected_fluorescence)
    assert np.array_equal(plain.labels, busy.labels)
    assert not np.array_equal(plain.bright_field, busy.bright_field)


def test_nothing_lives_beyond_the_border_of_the_cell() -> None:
    config = SceneConfig(cell=Cell(border_chance=1.0))
    stage = _Stage((256, 256), (20.48, 20.48), 30, 3, 0.08, config)
    landscape = stage.landscape
    assert landscape.border is not None
    mitochondria = np.array([tubule.centre for tubule in (*stage.focused, *stage.blurred)])
    for places in (mitochondria, stage.surroundings.granules):
        beyond = landscape.beyond_border_um(places[:, 1], places[:, 2])
        assert (beyond > 2.0).mean() < 0.02
    field = np.linspace(0, 20.48, 64)
    covered = landscape.covered(field[:, None], field[None, :])
    assert covered.min() < 0.01 < 0.99 < covered.max()


def test_a_mitochondrion_that_shows_in_fewer_than_six_pixels_has_no_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def paint(*arguments: Any) -> None:
        labels = arguments[3]
        labels[0, :5], labels[2, :6] = 1, 2

    monkeypatch.setattr(truth, "_draw", paint)
    one = SimpleNamespace()
    drawn = truth.draw_labels([one], [np.zeros((2, 3))], (4, 8), 0.08, Mitochondria())
    assert np.unique(drawn).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("height_um", "is_labelled"), [(0.49, True), (-0.49, True), (0.51, False), (-0.51, False)]
)
def test_mitochondria_within_half_a_micrometre_of_the_focus_have_labels(
    height_um: float, is_labelled: bool
) -> None:
    line = np.stack([np.full(10, height_um), np.full(10, 1.0), np.linspace(0.5, 1.5, 10)], axis=1)
    one = SimpleNamespace(track_id=3, radius_um=0.2)
    drawn = truth.draw_labels([one], [line], (32, 32), 0.08, Mitochondria())
    assert np.unique(drawn).tolist() == ([0, 3] if is_labelled else [0])


def test_granules_stay_about_their_homes_and_forget_within_seconds() -> None:
    homes, none = np.zeros((6000, 3)), np.zeros(0)
    start = np.full_like(homes, 1.0)
    around = Surroundings(
        start, homes, homes[:, None], none, homes[:0], none, none, homes[:0], none
    )
    around.advance(10.0, np.random.default_rng(0))  # the time after which 1 / e is left
    assert around.granules.mean() == pytest.approx(1 / np.e, abs=0.02)
    around.advance(1e4, np.random.default_rng(1))
    assert around.granules.mean() == pytest.approx(0, abs=0.01)
    assert around.granules.std() == pytest.approx(0.15, rel=0.05)


def test_a_mitochondrion_divides_from_1_1_um() -> None:
    """Shorter ones would leave children that cannot be told from granules."""
    motion = Motion(fission_rate_per_min=600, fusion_rate_per_min=0, event_spacing_frames=1)
    config = SceneConfig(motion=motion)
    scene = simulate(frames=30, size=144, count=45, seed=5, config=config)
    length_um = scene.tracks.set_index(["track_id", "frame"])["length_um"]
    divided = [
        length_um[int(event.parents), event.frame - 1] for event in scene.events.itertuples()
    ]
    assert len(divided) > 20
    assert 1.1 <= min(divided) < 1.15


def test_bright_field_shows_nothing_finer_than_both_apertures_let_through() -> None:
    microscope = dataclasses.replace(Microscope(), na=0.75, condenser_na=0.4)
    highest, _, contrast = _radial(microscope)
    frequency = np.linspace(0, highest, contrast.shape[1])
    limit = (0.75 + 0.4) / microscope.illumination_um
    largest = np.abs(contrast).max()
    assert np.abs(contrast[:, frequency > 1.02 * limit]).max() < 1e-3 * largest
    below = (frequency > 0.8 * limit) & (frequency < limit)
    assert np.abs(contrast[:, below]).max() > 0.01 * largest


def test_a_camera_saturates_and_never_wraps_round() -> None:
    config = SceneConfig()
    dark = dataclasses.replace(config.camera, offset=0.0, read_noise=5.0)
    config = dataclasses.replace(config, camera=dark)
    rng = np.random.default_rng(0)
    black = photograph(np.zeros((32, 32), np.float32), config, rng)
    assert black.min() == 0
    assert black.max() < 100
    assert (photograph(np.full((32, 32), 1e6, np.float32), config, rng) == 65535).all()
