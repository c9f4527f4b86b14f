"""Size and marks of the film of one track, and its squares of pixels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.plugin.inspect.film.cells import Film, FilmSource
from napari_virtualstain.plugin.inspect.film.rows import film_layers, proposed, role_of
from napari_virtualstain.plugin.inspect.mask_book import MaskBook, Patch, cut_out, find_masks
from napari_virtualstain.tracking import EditableTracks


def _tracks(
    frames: Any, parents: dict[int, list[int]] | None = None, **more: Any
) -> EditableTracks:
    rows = pd.DataFrame({"track_id": 1, "frame": frames, "y_px": 100.0, "x_px": 100.0})
    return EditableTracks(rows.assign(**more), parents or {})


def _book(data: np.ndarray, *, by_track: bool = True) -> MaskBook:
    return MaskBook(SimpleNamespace(data=data), by_track=by_track)


@pytest.mark.parametrize(
    ("reach", "half"), [(3, 10), (5, 10), (6, 11), (20, 25), (75, 80), (78, 80)]
)
def test_squares_hold_the_whole_mask_with_a_margin_of_five(reach: int, half: int) -> None:
    labels = np.zeros((2, 201, 201), np.int32)
    labels[:, 100, 100] = 1
    labels[1, 100, 100 - reach] = 1
    film = Film(_tracks([0, 1]), 1, [], _book(labels))
    assert film.half == half
    assert film.has_masks


@pytest.mark.parametrize(
    ("columns", "half"),
    [({}, 21), ({"height_px": [10.0, 30.0]}, 20), ({"height_px": [2.0, 2.0]}, 10)],
)
def test_without_masks_half_the_height_counts(columns: dict[str, Any], half: int) -> None:
    expected = half if columns else 16
    assert Film(_tracks([0, 1], **columns), 1, []).half == expected


def test_marks_say_what_happened_in_each_frame() -> None:
    tracks = _tracks(
        [0, 1, 3, 4],
        quality=[0.4, 0.49, 0.5, 0.9],
        interpolated=[False, False, False, True],
    )
    film = Film(tracks, 1, [])
    marks = [film.cell(place).marks for place in range(len(film))]
    assert marks == [(), ("doubtful",), ("gap",), ("gap",)]
    assert (film.place_of(3), film.place_of(2)) == (2, None)


@pytest.mark.parametrize(
    ("parents", "marks"),
    [
        ({1: [8]}, [("fission",), ()]),
        ({1: [8, 9]}, [("fusion",), ()]),
        ({8: [1]}, [(), ("fusion",)]),
        ({8: [1], 9: [1]}, [(), ("fission",)]),
    ],
)
def test_events_mark_the_first_and_the_last_frame(
    parents: dict[int, list[int]], marks: list[tuple[str, ...]]
) -> None:
    film = Film(_tracks([0, 1], parents), 1, [])
    assert [film.cell(place).marks for place in range(2)] == marks


def test_pictures_are_on_the_scale_of_their_layer() -> None:
    def colours(unit: np.ndarray) -> np.ndarray:
        return np.column_stack([unit, unit, unit, np.ones_like(unit)])

    image = np.zeros((2, 9, 9))
    image[0, 4, 3:6] = 5, 10, 30
    source = FilmSource("true", image, colours, (10.0, 20.0))
    picture = source.picture(0, 4, 4, 1)
    assert picture[1, :, 0].tolist() == [0, 0, 255]
    assert source.picture(0, 4, 3, 0).tolist() == [[[0, 0, 0]]]
    assert source.picture(0, 3, 5, 1)[2, 1].tolist() == [255] * 3  # the place itself: no offset
    deep = np.stack([image, image * 0], axis=1)  # the brightest of the planes
    stack = FilmSource("true", deep, colours, (0.0, 30.0))
    assert stack.picture(0, 4, 4, 1)[1, :, 0].tolist() == [42, 85, 255]
    shifted = FilmSource("true", image, colours, (0.0, 20.0), (1.0, 2.0))
    assert shifted.picture(0, 3, 2, 1)[1, :, 0].tolist() == [64, 128, 255]
    flat = FilmSource("true", image, colours, (5.0, 5.0))  # no contrast at all
    assert flat.picture(0, 4, 4, 1)[1, :, 0].tolist() == [0, 255, 255]
    image[1, 4, 3:6] = np.nan, np.inf, 15
    assert source.picture(1, 4, 4, 1)[1, :, 0].tolist() == [0, 255, 128]
    assert source.picture(2, 4, 4, 1) is None
    assert source.picture(-1, 4, 4, 1) is None
    assert source.is_quick


def test_the_outline_of_a_cell_runs_around_its_mask() -> None:
    labels = np.zeros((1, 201, 201), np.int32)
    labels[0, 98:102, 97:106] = 1
    film = Film(_tracks([0]), 1, [], _book(labels))
    (line,) = film.cell(0).outline
    middle = film.half  # row and column of the track in the square
    np.testing.assert_allclose(line.min(axis=0) - middle, [-2.5, -3.5])
    np.testing.assert_allclose(line.max(axis=0) - middle, [1.5, 5.5])


def _made_by(step: str, **more: str) -> dict[str, Any]:
    return {"virtualstain": {"step": step, **more}}


@pytest.mark.parametrize(
    ("name", "metadata", "role"),
    [
        ("cell", {}, "image"),
        ("cell BRIGHT field", {}, "bright-field"),
        ("cell", _made_by("load", role="bright_field"), "bright-field"),
        ("cell", _made_by("load", role="fluorescence"), "true"),
        ("cell GFP", {}, "true"),
        ("MitoTracker", {}, "true"),
        ("cell fluo", {}, "image"),
        ("mito", _made_by("stain"), "virtual"),
        ("bright-field", _made_by("train"), "virtual"),
        ("mito", _made_by("load", role="other"), "true"),
    ],
)
def test_an_image_shows_what_its_history_or_its_name_says(
    name: str, metadata: dict[str, Any], role: str
) -> None:
    assert role_of(SimpleNamespace(name=name, metadata=metadata)) == role


def test_the_film_has_a_row_for_each_role_and_one_for_an_image_alone(viewer_model: Any) -> None:
    def add(name: str, shape: tuple[int, ...] = (3, 8, 8), **more: Any) -> Any:
        return viewer_model.add_image(np.zeros(shape), name=name, **more)

    tracks = viewer_model.add_tracks(np.array([(1, 0, 4.0, 4.0)]), name="tracks")
    alone = add("cell")
    assert proposed(film_layers(viewer_model, tracks)) == [alone]
    true = add("cell [fluorescence]")
    assert proposed(film_layers(viewer_model, tracks)) == [true]
    virtual = add("cell [stain]", metadata=_made_by("stain"))
    bright, hidden = add("bright-field"), add("bright-field two", visible=False)
    assert proposed(film_layers(viewer_model, tracks)) == [bright, virtual, true]
    bright.visible, hidden.visible = False, True
    assert proposed(film_layers(viewer_model, tracks))[0] is hidden
    movies = {"cell", "cell [fluorescence]", "cell [stain]", "bright-field", "bright-field two"}
    add("one plane", (8, 8))
    add("stack", (3, 2, 8, 8))
    add("planes", axis_labels=("z", "y", "x"))
    add("cell [uncertainty]")
    add("cell [preview]")
    viewer_model.add_labels(np.zeros((3, 8, 8), int), name="labels")
    assert {one.name for one in film_layers(viewer_model, tracks)} == movies


def test_rows_of_the_movie_that_was_tracked_come_first(viewer_model: Any) -> None:
    def image(name: str, **more: Any) -> Any:
        return viewer_model.add_image(np.zeros((3, 8, 8)), name=name, **more)

    other, own = image("other fluorescence"), image("fluorescence")
    image("another fluorescence", visible=False)
    viewer_model.add_labels(
        np.zeros((3, 8, 8), int), name="masks", metadata=_made_by("segment", source=own.name)
    )
    rows = np.array([(1, 0, 4.0, 4.0)])
    tracks = viewer_model.add_tracks(rows, metadata=_made_by("track", source="masks"))
    found = film_layers(viewer_model, tracks)
    assert [one.name for one in found] == [
        "fluorescence", "other fluorescence", "another fluorescence"
    ]  # fmt: skip
    renamed = viewer_model.add_tracks(rows, metadata=_made_by("track", source="gone"))
    assert film_layers(viewer_model, renamed)[0] is other
    circle = viewer_model.add_tracks(rows, name="round", metadata=_made_by("track", source="round"))
    assert film_layers(viewer_model, circle)[0] is other


def test_cut_squares_are_zero_beyond_the_border() -> None:
    plane = np.arange(1, 31).reshape(5, 6)
    np.testing.assert_array_equal(cut_out(plane, 2, 3, 1), plane[1:4, 2:5])
    corner = cut_out(plane, 0, 5, 1)
    np.testing.assert_array_equal(corner, [[0, 0, 0], [5, 6, 0], [11, 12, 0]])
    np.testing.assert_array_equal(cut_out(plane, 4, 0, 1), [[0, 19, 20], [0, 25, 26], [0, 0, 0]])
    assert not cut_out(plane, 6, 3, 1).any()
    assert not cut_out(plane, 2, -2, 1).any()


@pytest.mark.parametrize("mask", [[[0, 1, 1], [1, 0, 0]], [[1, 0, 0], [0, 0, 1]], [[1]], [[0]]])
def test_patches_are_kept_as_run_lengths(mask: list[list[int]]) -> None:
    patch = Patch(3, 10, 20, np.array(mask, bool))
    again = Patch.from_record(patch.to_record())
    assert (again.frame, again.top, again.left) == (3, 10, 20)
    np.testing.assert_array_equal(again.mask, patch.mask)


def test_a_track_is_found_by_the_place_of_its_mask() -> None:
    labels = np.zeros((2, 9, 9), np.int32)
    labels[0, 0:3, 6:9], labels[0, 5, 5] = 1, 7
    tracks = _tracks([0, 1])
    book = _book(labels)
    assert book.track_at(tracks, 0, 0.4, 8.4) == 1
    assert book.track_at(tracks, 0, 2.6, 8.4) is None
    labels[1, 0:2, 0:2] = 1
    assert book.track_at(tracks, 1, -0.4, -0.4) == 1
    for y, x in ((-0.6, 8), (0, 8.6), (5, 5)):  # outside, or a mask of no track
        assert book.track_at(tracks, 0, y, x) is None
    assert book.track_at(tracks, 2, 0, 8) is None
    named = _book(labels, by_track=False)
    assert named.track_at(_tracks([0, 1], label=[7, 7]), 0, 5, 5) == 1
    assert named.track_at(_tracks([0, 1], label=[7, 7]), 0, 1, 7) is None
    assert named.mask(_tracks([0, 1], label=[7, 0]), 1, 5) is None  # and not the background
    assert named.mask(_tracks([0, 2], label=[7, 7]), 1, 5) is None  # beyond the movie
    assert (book.new_label(0), book.new_label(1), book.new_label(5)) == (8, 2, 1)


def test_painting_keeps_other_masks_and_can_be_taken_back() -> None:
    labels = np.zeros((1, 6, 6), np.int32)
    labels[0, 2, 2] = 5
    before = labels.copy()
    book = MaskBook(SimpleNamespace(data=labels), by_track=True)
    pixels = book.paint(Patch(0, -1, 1, np.ones((4, 3), bool)), 9)
    expected = before.copy()
    expected[0, 0:3, 1:4] = 9
    expected[0, 2, 2] = 5
    np.testing.assert_array_equal(labels, expected)
    book.put(pixels, forward=False)
    np.testing.assert_array_equal(labels, before)
    book.put(pixels, forward=True)
    np.testing.assert_array_equal(labels, expected)
    book.paint(Patch(0, 3, -1, np.ones((9, 2), bool)), 4)
    assert (labels[0] == 4).sum(axis=0).tolist() == [3, 0, 0, 0, 0, 0]
    assert book.paint(Patch(1, 0, 0, np.ones((2, 2), bool)), 9) == []
    assert book.erase(0, 0) == []
    book.erase(0, 9)
    assert np.unique(labels).tolist() == [0, 4, 5]
    for frame in (-1, 1):
        assert book.erase(frame, 5) == []


@pytest.mark.parametrize(("right", "is_found"), [(8, False), (9, True)])
def test_masks_are_those_of_the_tracks_from_more_than_four_fifths_on(
    viewer_model: Any, right: int, is_found: bool
) -> None:
    labels = np.zeros((12, 40, 40), np.int32)
    labels[:10, 20, 20] = 7
    labels[:right, 20, 20] = 1  # nothing at all in the last two frames
    viewer_model.add_labels(labels)
    rows = pd.DataFrame({"track_id": 1, "frame": range(12), "y_px": 20.0, "x_px": 20.0})
    book = find_masks(viewer_model, EditableTracks(rows), ())
    assert (book is not None) == is_found
    if book is not None:
        assert book.by_track
    # numbered frame by frame, as the column says
    named = rows.assign(label=[1] * right + [7] * (10 - right) + [3, 3])
    found = find_masks(viewer_model, EditableTracks(named), ())
    assert found is not None
    assert found.by_track == is_found


@pytest.mark.parametrize(
    ("frame", "y", "x", "is_found"),
    [(0, 0, 0, True), (0, 7, 9, True), (1, 0, 0, False), (0, 8, 0, False), (0, 0, -0.6, False)],
)
def test_places_count_up_to_the_border_of_the_labels(
    viewer_model: Any, frame: int, y: float, x: float, is_found: bool
) -> None:
    viewer_model.add_labels(np.ones((1, 8, 10), np.int32))
    rows = pd.DataFrame({"track_id": 1, "frame": [frame], "y_px": [y], "x_px": [x]})
    assert (find_masks(viewer_model, EditableTracks(rows), ()) is not None) == is_found


def test_of_two_layers_that_fit_the_preferred_one_holds_the_masks(viewer_model: Any) -> None:
    other, own = (viewer_model.add_labels(np.ones((1, 8, 10), int)) for _ in range(2))
    rows = pd.DataFrame({"track_id": 1, "frame": [0], "y_px": [4.0], "x_px": [4.0]})
    movie = viewer_model.add_image(np.ones((1, 8, 10)))
    for preferred, taken in (((movie, own), own), ((), other), ((other,), other)):
        book = find_masks(viewer_model, EditableTracks(rows), preferred)
        assert book is not None
        assert book.layer is taken
