"""Edits of tracks, their inverses, and the log that repeats them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.tracking import EditableTracks, EditLog, editing
from napari_virtualstain.tracking.editing.edit_log import _resolve

MOVIE = {"shape": [9, 64, 64], "sha256": "ab"}


def _tracks(shift: int = 0, seed: int | None = None) -> EditableTracks:
    """Four tracks of eight frames, of which 2 becomes 3 and 4; other numbers with `shift`."""
    spans = {1: range(8), 2: range(4), 3: range(4, 8), 4: range(4, 8)}
    rows = [(k + shift, t, 10.0 * k, 1.0 * t) for k, frames in spans.items() for t in frames]
    table = pd.DataFrame(rows, columns=["track_id", "frame", "y_px", "x_px"])
    table["quality"], table["reason"], table["parent"] = 0.5, "", 0
    if seed is not None:
        table = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    event = {"kind": "fission", "frame": 4, "parents": str(2 + shift)}
    event |= {"children": f"{3 + shift};{4 + shift}", "probability": 0.7}
    parents = {3 + shift: [2 + shift], 4 + shift: [2 + shift]}
    return EditableTracks(table, parents, pd.DataFrame([event]))


def _state(tracks: EditableTracks) -> tuple[Any, ...]:
    return (
        tracks.to_frame().to_json(),
        {child: list(of) for child, of in tracks.parents.items()},
        json.dumps(tracks.events),
        {track: tracks.rows_of(track).tolist() for track in tracks.track_ids},
    )


EDITS: list[tuple[str, dict[str, Any]]] = [
    ("cut", {"track_id": 1, "frame": 3}),
    ("join", {"first": 2, "second": 3}),
    ("swap", {"first": 1, "second": 2, "frame": 2}),
    ("swap", {"first": 1, "second": 3, "frame": 6}),
    ("delete", {"track_id": 2}),
    ("remove_detection", {"track_id": 1, "frame": 4}),
    ("add_detection", {"track_id": 9, "frame": 2, "y_px": 50.0, "x_px": 50.0}),
    ("move", {"track_id": 1, "frame": 4, "y_px": 11.0, "x_px": 4.5}),
    ("reject_event", {"place": 0}),
    ("accept_event", {"place": 0}),
    ("move_event", {"place": 0, "frame": 3}),
    ("move_event", {"place": 0, "frame": 6}),
]


@pytest.mark.parametrize(("action", "arguments"), EDITS)
@pytest.mark.parametrize("seed", [None, 0])
def test_every_edit_can_be_taken_back_and_repeated(
    action: str, arguments: dict[str, Any], seed: int | None
) -> None:
    tracks = _tracks(seed=seed)
    before = _state(tracks)
    change, _ = editing.perform(tracks, action, **arguments)
    after = _state(tracks)
    assert after != before
    assert not tracks.to_frame().duplicated(["track_id", "frame"]).any()
    tracks.revert(change)
    assert _state(tracks) == before
    tracks.repeat(change)
    assert _state(tracks) == after


def test_random_edits_are_undone_in_reverse() -> None:
    rng = np.random.default_rng(0)
    tracks = _tracks()
    states, changes = [_state(tracks)], []
    for _ in range(60):
        one, other = (int(k) for k in rng.choice(tracks.track_ids, 2))
        frame = int(rng.integers(0, 8))
        chosen: list[tuple[str, dict[str, Any]]] = [
            ("cut", {"track_id": one, "frame": frame}),
            ("join", {"first": one, "second": other}),
            ("swap", {"first": one, "second": other, "frame": frame}),
            ("remove_detection", {"track_id": one, "frame": frame}),
            ("fill_gaps", {"track_id": one}),
        ]
        action, arguments = chosen[int(rng.integers(len(chosen)))]
        try:
            change, _ = editing.perform(tracks, action, **arguments)
        except InputError:
            assert _state(tracks) == states[-1]
            continue
        changes.append(change)
        states.append(_state(tracks))
        known = set(tracks.track_ids)
        assert {*tracks.parents, *(p for of in tracks.parents.values() for p in of)} <= known
    assert len(changes) > 15
    for change in reversed(changes):
        assert _state(tracks) == states.pop()
        tracks.revert(change)
    assert _state(tracks) == states.pop()


def test_swapping_takes_the_children_along() -> None:
    tracks = _tracks()
    editing.perform(tracks, "swap", first=1, second=2, frame=2)
    assert tracks.parents == {3: [1], 4: [1]}
    assert tracks.events[0]["parents"] == "1"
    assert tracks.extent(1) == (0, 3)
    assert tracks.extent(2) == (0, 7)


def test_a_moved_event_moves_the_border_between_parent_and_child() -> None:
    tracks = _tracks()
    editing.perform(tracks, "move_event", place=0, frame=3)
    assert tracks.events[0]["frame"] == 3
    assert tracks.extent(2) == (0, 2)
    assert tracks.extent(3) == (3, 7)
    with pytest.raises(InputError, match="would have no frames left"):
        editing.perform(tracks, "move_event", place=0, frame=0)


def _dividing(kind: str) -> EditableTracks:
    """Track 1 divides in frame 4 into 2, which goes on beside it, and 3; or 2 and 3 fuse into 1."""
    before, after = (range(4), range(4, 8)) if kind == "fission" else (range(4, 8), range(4))
    away = {1: 0.0, 2: 1.0, 3: 9.0}
    spans = {1: before, 2: after, 3: after}
    rows = [(k, t, away[k], 0.0) for k, frames in spans.items() for t in frames]
    table = pd.DataFrame(rows, columns=["track_id", "frame", "y_px", "x_px"])
    table["interpolated"] = False
    single, several = ("parents", "children") if kind == "fission" else ("children", "parents")
    event = {"kind": kind, "frame": 4, single: "1", several: "2;3", "probability": 0.7}
    parents = {2: [1], 3: [1]} if kind == "fission" else {1: [2, 3]}
    return EditableTracks(table, parents, pd.DataFrame([event]))


@pytest.mark.parametrize(("kind", "frame"), [("fission", 2), ("fusion", 6)])
def test_the_second_track_of_a_moved_event_is_continued_to_it(kind: str, frame: int) -> None:
    tracks = _dividing(kind)
    before = _state(tracks)
    change, _ = editing.perform(tracks, "move_event", place=0, frame=frame)
    low, high = sorted((frame, 4))
    ends = {2: (2, 7), 3: (2, 7)} if kind == "fission" else {2: (0, 5), 3: (0, 5)}
    assert {track: tracks.extent(track) for track in ends} == ends
    own = tracks.track(2).set_index("frame").loc[low : high - 1]
    assert (own["y_px"] == 0).all()  # what the single track was there
    assert not own["interpolated"].any()
    other = tracks.track(3).set_index("frame").loc[low : high - 1]
    assert other["interpolated"].all()
    expected = {2: 3.0, 3: 6.0} if kind == "fission" else {4: 6.0, 5: 3.0}
    assert other["y_px"].to_dict() == pytest.approx(expected)
    tracks.revert(change)
    assert _state(tracks)[1:3] == before[1:3]
    assert [tracks.extent(t) for t in (1, 2, 3)] == [_dividing(kind).extent(t) for t in (1, 2, 3)]


@pytest.mark.parametrize(("kind", "frame"), [("fission", 6), ("fusion", 2)])
def test_what_the_second_track_was_beyond_a_moved_event_is_kept_apart(
    kind: str, frame: int
) -> None:
    tracks = _dividing(kind)
    change, _ = editing.perform(tracks, "move_event", place=0, frame=frame)
    low, high = sorted((frame, 4))
    assert tracks.track(1).set_index("frame").loc[low : high - 1, "y_px"].tolist() == [1.0, 1.0]
    assert tracks.extent(4) == (low, high - 1)
    assert tracks.track(4)["y_px"].tolist() == [9.0, 9.0]
    assert 4 not in tracks.parents
    assert "track 3 was on the other side is 4" in change.text
    assert tracks.row_count == len(_dividing(kind)["frame"])  # no detection is lost
    with pytest.raises(InputError, match="in frame"):
        editing.perform(tracks, "move_event", place=0, frame=frame)


def test_verdicts_of_links_and_the_sample_come_back_with_other_numbers(tmp_path: Path) -> None:
    tracks, log = _tracks(), EditLog(tmp_path / "log.jsonl", MOVIE)
    link = {"do": editing.LINK_VERDICT, "track_id": 3, "frame": 6, "verdict": "wrong"}
    places = [editing.anchor(tracks, 3), editing.anchor(tracks, 1)]
    sample = {"what": "links", "seed": 7, "population": 4, "items": [[3, 6], [1, 2]]}
    log.append({"do": editing.SAMPLE, **sample, "places": places})
    log.append({**link, "anchors": {"3": places[0]}})
    log.append({**link, "frame": 7, "anchors": {"3": places[0]}})
    log.append({"do": "undo"})
    found = editing.replay(EditLog(log.path, MOVIE).records(), _tracks(shift=10))
    assert found.links == {(13, 6): "wrong"}
    assert found.sample is not None
    assert (found.sample["seed"], found.sample["items"]) == (7, [[13, 6], [11, 2]])
    assert found.failed == []


def test_what_is_impossible_is_refused() -> None:
    tracks = _tracks()
    before = _state(tracks)
    for action, arguments, match in (
        ("join", {"first": 1, "second": 3}, "cannot be in two places"),
        ("join", {"first": 1, "second": 1}, "cannot be in two places"),
        ("cut", {"track_id": 1, "frame": 0}, "Go to a later frame"),
        ("delete", {"track_id": 77}, "There is no track 77"),
        ("add_detection", {"track_id": 1, "frame": 2, "y_px": 0, "x_px": 0}, "already"),
        ("fill_gaps", {"track_id": 1}, "no gap"),
        ("add_event", {"kind": "fission", "frame": 4, "parents": [1, 2], "children": [3]}, "fis"),
    ):
        with pytest.raises(InputError, match=match):
            editing.perform(tracks, action, **arguments)
        assert _state(tracks) == before


def test_the_last_track_and_the_last_detection_of_a_track_stay() -> None:
    rows = pd.DataFrame({"track_id": [1, 1, 2], "frame": [0, 1, 0], "y_px": 0.0, "x_px": 0.0})
    tracks = EditableTracks(rows)
    editing.perform(tracks, "remove_detection", track_id=1, frame=0)
    with pytest.raises(InputError, match="only in frame 1"):
        editing.perform(tracks, "remove_detection", track_id=1, frame=1)
    editing.perform(tracks, "delete", track_id=1)
    with pytest.raises(InputError, match="the only one"):
        editing.perform(tracks, "delete", track_id=2)
    assert tracks.track_ids == [2]


@pytest.mark.parametrize("kind", ["fission", "fusion"])
@pytest.mark.parametrize("parents", [0, 1, 2, 3])
@pytest.mark.parametrize("children", [0, 1, 2, 3])
def test_a_fission_makes_two_of_one_and_a_fusion_one_of_two(
    kind: str, parents: int, children: int
) -> None:
    rows = pd.DataFrame({"track_id": range(1, 7), "frame": [0] * 3 + [1] * 3})
    tracks = EditableTracks(rows.assign(y_px=0.0, x_px=0.0))
    arguments: dict[str, Any] = {
        "kind": kind,
        "frame": 1,
        "parents": [1, 2, 3][:parents],
        "children": [4, 5, 6][:children],
    }
    if (parents, children) == ((1, 2) if kind == "fission" else (2, 1)):
        editing.perform(tracks, "add_event", **arguments)
        assert [event["kind"] for event in tracks.events] == [kind]
    else:
        with pytest.raises(InputError, match="one into two or a fusion of two into one"):
            editing.perform(tracks, "add_event", **arguments)
        assert tracks.events == []


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_a_logged_event_is_that_of_the_same_tracks_a_frame_off_at_most(shift: int) -> None:
    tracks = _tracks()
    _, record = editing.perform(tracks, "accept_event", place=0)
    today = _tracks()
    with today.change("Shifted"):
        today.set_events([{**event, "frame": 4 + shift} for event in today.events])
    result = editing.replay([record], today)
    assert [event.get("status") for event in today.events] == (
        ["accepted"] if abs(shift) < 2 else [None]
    )
    assert bool(result.failed) == (abs(shift) == 2)


def test_partners_are_the_near_ones_that_share_no_frame() -> None:
    rows = pd.DataFrame(
        [(1, 0), (1, 1), (2, 2), (2, 3), (3, 1), (3, 2)], columns=["track_id", "frame"]
    ).assign(y_px=0.0, x_px=[0.0, 1, 2, 3, 50, 51])
    tracks = EditableTracks(rows)
    found = editing.partners(tracks, 1)
    assert found["track_id"].tolist() == [2]
    assert found[["gap", "distance_px", "after"]].iloc[0].tolist() == [0, 1.0, True]
    assert editing.partners(tracks, 2)["after"].tolist() == [False]
    assert editing.partners(tracks, 3).empty


def test_eight_partners_are_listed_the_nearest_first() -> None:
    rows = pd.DataFrame({"track_id": range(12), "frame": [0, *[1] * 11], "y_px": 0.0})
    found = editing.partners(EditableTracks(rows.assign(x_px=np.arange(12.0))), 0)
    assert found["track_id"].tolist() == list(range(1, 9))


@pytest.mark.parametrize(
    ("tail", "within_px", "found"),
    [(0, 5.0, None), (1, 5.0, None), (2, 5.0, 1), (2, 4.9, None), (9, 5.0, 1)],
)
def test_a_track_is_found_by_its_tail_within_its_reach(
    tail: int, within_px: float, found: int | None
) -> None:
    # track 1 passed by two frames ago, 3 and 4 px off; others are there later, or far away
    rows = [(1, 3, 3.0, 4.0), (1, 4, 50.0, 50.0), (1, 5, 60.0, 60.0), (2, 5, 90.0, 90.0)]
    rows.append((3, 6, 0.0, 0.0))
    tracks = EditableTracks(pd.DataFrame(rows, columns=["track_id", "frame", "y_px", "x_px"]))
    assert tracks.near(5, 0.0, 0.0, within_px, tail) == found
    assert tracks.nearest(5, 91.0, 90.0) == (2, 1.0)
    assert tracks.nearest(9, 0.0, 0.0) is None


def _logged(path: Path) -> tuple[EditableTracks, EditLog]:
    tracks, log = _tracks(), EditLog(path, MOVIE)
    for action, arguments in (
        ("cut", {"track_id": 1, "frame": 3, "number": 20}),
        ("delete", {"track_id": 20}),
        ("swap", {"first": 1, "second": 2, "frame": 1}),
        ("move_event", {"place": 0, "frame": 3}),
    ):
        _, record = editing.perform(tracks, action, **arguments)
        log.append(record)
    places = {"3": editing.anchor(tracks, 3)}
    log.append({"do": "verdict", "track_id": 3, "verdict": "wrong", "anchors": places})
    return tracks, log


def test_a_log_repeats_on_the_same_tracks_and_on_tracks_with_other_numbers(tmp_path: Path) -> None:
    done, _ = _logged(tmp_path / "cell.jsonl")
    records = EditLog(tmp_path / "cell.jsonl", MOVIE).records()
    same = _tracks()
    result = editing.replay(records, same)
    assert (result.failed, result.verdicts) == ([], {3: "wrong"})
    assert _state(same) == _state(done)
    other = _tracks(shift=40, seed=1)
    result = editing.replay(records, other)
    assert (result.failed, result.verdicts) == ([], {43: "wrong"})
    names = ["frame", "y_px", "x_px"]

    def lives(tracks: EditableTracks) -> set[tuple[Any, ...]]:
        parts = tracks.to_frame().groupby("track_id")
        return {tuple(map(tuple, rows[names].to_numpy())) for _, rows in parts}

    assert lives(other) == lives(done)


def test_undone_edits_are_not_repeated_and_a_cut_line_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "cell.jsonl"
    _, log = _logged(path)
    for action in ("undo", "undo", "redo"):
        log.append({"do": action})
    with path.open("ab") as file:
        file.write(b'{"do": "dele')
    again = EditLog(path, MOVIE)
    assert [r["do"] for r in again.records()] == ["cut", "delete", "swap", "move_event"]
    again.append({"do": "undo"})
    assert [r["do"] for r in EditLog(path, MOVIE).records()] == ["cut", "delete", "swap"]


def test_the_log_of_another_movie_is_refused(tmp_path: Path) -> None:
    _logged(tmp_path / "cell.jsonl")
    with pytest.raises(InputError, match="another movie"):
        EditLog(tmp_path / "cell.jsonl", {**MOVIE, "sha256": "cd"})
    (tmp_path / "notes.jsonl").write_text("shopping list\n")
    with pytest.raises(InputError, match="no log of edits"):
        EditLog(tmp_path / "notes.jsonl", MOVIE)


def test_edits_that_do_not_fit_other_tracks_are_said(tmp_path: Path) -> None:
    _logged(tmp_path / "cell.jsonl")
    rows = pd.DataFrame({"track_id": 1, "frame": [0, 1], "y_px": 500.0, "x_px": 500.0})
    tracks = EditableTracks(rows)
    result = editing.replay(EditLog(tmp_path / "cell.jsonl", MOVIE).records(), tracks)
    assert len(result.failed) == 5
    assert tracks.track_ids == [1]


def test_movies_are_told_apart_by_their_pixels() -> None:
    movie = np.arange(3 * 20 * 20, dtype=float).reshape(3, 20, 20)
    other = movie.copy()
    other[1, 7, 7] += 1
    assert editing.movie_identity(movie) == editing.movie_identity(movie.astype(np.float32))
    assert editing.movie_identity(movie) != editing.movie_identity(other)
    assert editing.movie_identity(movie) != editing.movie_identity(movie[:2])


def test_a_detection_needs_a_place_in_every_axis() -> None:
    rows = pd.DataFrame({"track_id": 1, "frame": [0, 1], "z_px": 2.0, "y_px": 3.0, "x_px": 4.0})
    tracks = EditableTracks(rows, {})
    with pytest.raises(InputError, match="without z_px"):
        editing.perform(tracks, "add_detection", track_id=2, frame=0, y_px=1.0, x_px=1.0)
    editing.perform(tracks, "add_detection", track_id=2, frame=0, z_px=1.0, y_px=1.0, x_px=1.0)
    assert tracks.to_frame()[["z_px", "y_px", "x_px"]].notna().all().all()


@pytest.mark.parametrize(("off_px", "found"), [(1.9, True), (2.1, False)])
@pytest.mark.parametrize("number", [1, 7])
def test_a_logged_track_is_that_within_two_pixels_of_its_place(
    off_px: float, found: bool, number: int
) -> None:
    rows = pd.DataFrame({"track_id": 1, "frame": [0, 1], "y_px": 5.0, "x_px": [5.0, 9.0]})
    tracks = EditableTracks(rows, {})
    place = [1, 5.0, 9.0 + off_px]
    if found:
        assert _resolve(tracks, number, place) == 1
    else:
        with pytest.raises(InputError, match="no track is within 2 px"):
            _resolve(tracks, number, place)
