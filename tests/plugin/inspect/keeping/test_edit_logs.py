"""Log of edits: where it lies, which one goes on, and what is asked about an earlier one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from napari_virtualstain.errors import OutputError
from napari_virtualstain.plugin.inspect.keeping import found_log
from napari_virtualstain.plugin.inspect.keeping.found_log import (
    FoundLog,
    LogNotice,
    log_path,
    newest,
)
from napari_virtualstain.plugin.inspect.model import InspectorModel
from napari_virtualstain.plugin.inspect.summary_rows import Scale, judge, summarise
from napari_virtualstain.tracking import EditableTracks, EditLog

MOVIE = {"shape": [3, 8, 8], "sha256": "abc"}


def _tracks(count: int = 2, frames: int = 4) -> EditableTracks:
    rows = [(k, t, 10.0 * k, 1.0 * t) for k in range(1, count + 1) for t in range(frames)]
    return EditableTracks(pd.DataFrame(rows, columns=["track_id", "frame", "y_px", "x_px"]))


def _model(count: int = 2, say: Any = lambda text: None) -> InspectorModel:
    tracks, scale, model = _tracks(count), Scale(0.1, 2.0), InspectorModel(say)
    rows = tracks.to_frame().reset_index(drop=True)
    model.load(tracks, summarise(rows, tracks, scale, judged=judge(rows, scale)), scale, {})
    return model


@pytest.mark.parametrize(
    ("there", "latest", "following"),
    [
        ([], "cell.tif", "cell.tif"),
        (["cell.tif"], "cell.tif", "cell.tif.2"),
        (["cell.tif", "cell.tif.2"], "cell.tif.2", "cell.tif.3"),
        (["cell.tif", "cell.tif.2", "cell.tif.3", "cell.tif.5"], "cell.tif.3", "cell.tif.4"),
    ],
)
def test_each_new_log_of_a_movie_has_the_next_number(
    tmp_path: Path, there: list[str], latest: str, following: str
) -> None:
    for name in there:
        (tmp_path / f"{name}.edits.jsonl").touch()
    found = newest(tmp_path / "cell.tif.edits.jsonl")
    assert [one.name for one in found] == [f"{latest}.edits.jsonl", f"{following}.edits.jsonl"]


def test_without_a_folder_to_write_in_the_log_is_among_the_data_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    movie = tmp_path / "cell.tif"
    assert log_path(movie, MOVIE) == tmp_path / "cell.tif.edits.jsonl"
    own = log_path(None, MOVIE)
    assert own.name == "abc.edits.jsonl"
    assert tmp_path / "data" in own.parents
    assert log_path(None, {"sha256": None}).name == "unknown_movie.edits.jsonl"
    monkeypatch.setattr(found_log.os, "access", lambda *_: False)
    assert log_path(movie, MOVIE) == own


class _Opened:
    """The log of a movie that is opened again, in a dock that only notes what it is told."""

    def __init__(self, qtbot: Any, metadata: dict[str, Any] | None = None) -> None:
        self.said: list[str] = []
        self.samples: list[Any] = []
        self.model = _model()
        host = SimpleNamespace(
            model=self.model, say=self.said.append, take_sample=self.samples.append
        )
        self.notice = LogNotice()
        qtbot.addWidget(self.notice)
        self.layer = SimpleNamespace(metadata=metadata or {})
        self.found = FoundLog(host, self.notice)
        self.answer = self.found.open(self.layer, None, MOVIE)


def _record(track: int, do: str, **more: Any) -> dict[str, Any]:
    return {"do": do, "track_id": track, "anchors": {str(track): [0, 10.0 * track, 0.0]}, **more}


def test_the_latest_log_is_offered_and_a_new_one_written_until_then(qtbot: Any) -> None:
    base = log_path(None, MOVIE)
    first = _Opened(qtbot)
    assert (first.answer, first.notice.isHidden()) == ("", True)
    first.model.judge(1, "ok")
    assert first.model.log.path == base
    second = _Opened(qtbot)
    assert not second.notice.isHidden()
    assert second.notice.text.text().startswith("0 edits and 1 verdict of this movie were kept")
    second.notice.leave.click()
    assert second.notice.isHidden()
    second.found.repeat()  # too late
    assert second.model.verdicts == {}
    second.model.edit("delete", track_id=2)
    second.model.judge(1, "wrong")
    second.model.judge_link((1, 3), "unsure")
    second.model.note_sample({"what": "tracks", "seed": 4, "population": 2, "items": [[1, -1]]})
    third = _Opened(qtbot)
    assert third.notice.text.text().startswith("1 edit and 2 verdicts of this movie were kept")
    assert third.notice.text.toolTip() == str(second.model.log.path)
    assert third.model.log.path.name == "abc.3.edits.jsonl"
    third.notice.apply.click()
    assert third.notice.isHidden()
    assert third.said == ["Repeated 1 edit and 2 verdicts."]
    assert third.model.tracks.track_ids == [1]
    assert (third.model.verdicts, third.model.link_verdicts) == ({1: "wrong"}, {(1, 3): "unsure"})
    assert [one["seed"] for one in third.samples] == [4]
    assert third.model.log.path == second.model.log.path
    for _ in range(3):
        assert third.model.undo()
    assert (third.model.undo_text, third.model.verdicts) == ("", {})
    assert third.model.tracks.track_ids == [1, 2]


def test_what_does_not_fit_the_tracks_is_counted_and_the_rest_repeated(qtbot: Any) -> None:
    log = EditLog(log_path(None, MOVIE), MOVIE)
    log.append(_record(9, "delete"))
    log.append(_record(8, "verdict", verdict="ok"))
    log.append(_record(2, "verdict", verdict="ok"))
    opened = _Opened(qtbot)
    opened.notice.apply.click()
    assert opened.said[0].startswith("Repeated 0 edits and 1 verdict. 2 do not fit these tracks: ")
    assert opened.model.verdicts == {2: "ok"}
    assert opened.samples == []


def test_a_log_without_records_goes_on_and_that_of_another_movie_stays(
    qtbot: Any, tmp_path: Path
) -> None:
    log = EditLog(log_path(None, MOVIE), MOVIE)
    log.append(_record(1, "verdict", verdict="ok"))
    log.append({"do": "undo"})
    opened = _Opened(qtbot)
    assert opened.notice.isHidden()
    assert opened.model.log.path == log.path
    other = EditLog(tmp_path / "other.edits.jsonl", {"shape": [1, 8, 8], "sha256": "xyz"})
    other.append(_record(1, "verdict", verdict="ok"))
    opened = _Opened(qtbot, {"edit_log": str(other.path)})  # of a session
    assert len(opened.said) == 1
    assert "another movie" in opened.said[0]
    assert opened.model.log is None


def test_a_log_that_cannot_be_written_is_said_once_and_edits_go_on() -> None:
    said: list[str] = []
    model = _model(say=said.append)
    tries: list[Any] = []

    def append(record: Any) -> None:
        tries.append(record)
        raise OutputError("The disk is full. Make room.")

    model.log = SimpleNamespace(append=append)
    for verdict in ("ok", "wrong", ""):
        model.judge(1, verdict)
    assert said == ["The disk is full. Make room."]
    assert len(tries) == 1
    assert model.verdicts == {}


def test_a_thousand_steps_can_be_undone() -> None:
    model = _model(1)
    for step in range(1100):
        model.judge(1, "ok" if step % 2 else "wrong")
    undone = 0
    while model.undo():
        undone += 1
    assert 1000 <= undone <= 1001


def test_verdicts_that_are_there_already_are_no_steps() -> None:
    model = _model()
    loaded: list[int] = []
    model.judge(1, "ok")
    model.judge_link((1, 2), "ok")
    model.loaded.connect(lambda: loaded.append(1))
    model.judge_several({1: "ok", 2: "wrong"}, {(1, 2): "ok", (2, 3): "unsure", (9, 1): "ok"})
    assert model.verdicts == {1: "ok", 2: "wrong"}
    assert model.link_verdicts == {(1, 2): "ok", (2, 3): "unsure"}
    assert model.table.set_index("track_id")["verdict"].to_dict() == {1: "ok", 2: "wrong"}
    assert loaded
    undone = [model.undo() for _ in range(4)]
    assert undone == [
        "unsure for the link of track 2 into frame 3",
        "wrong for track 2",
        "ok for the link of track 1 into frame 2",
        "ok for track 1",
    ]
    assert (model.verdicts, model.link_verdicts, model.undo()) == ({}, {}, "")
    model.judge(1, "ok")
    assert model.redo() == ""  # what was undone is forgotten
    model.judge(1, "")
    assert model.undo_text == "no verdict for track 1"
    assert model.verdicts == {}


def test_an_undone_edit_chooses_the_track_of_before(qtbot: Any) -> None:
    model = _model()
    model.choose(2, 1)
    model.edit("delete", track_id=2)
    assert model.selection.track_id is None
    assert model.table["track_id"].tolist() == [1]
    model.choose(7)
    assert model.selection.track_id is None
    model.undo()
    assert model.selection.track_id == 2
    assert sorted(model.table["track_id"]) == [1, 2]
    model.choose(1, 2)
    model.edit("cut", track_id=1, frame=2, number=3, chosen=3)
    assert model.selection.track_id == 3
    assert model.table["track_id"].iloc[0] == 3  # new ones come first
    assert [model.row_of(track) for track in model.table["track_id"]] == [0, 1, 2]
    model.undo()
    model.redo()
    assert model.selection.track_id == 1
    assert model.row_of(None) is None


def test_nothing_is_filled_in_where_nothing_is_listed() -> None:
    model = InspectorModel()
    loaded: list[int] = []
    model.loaded.connect(lambda: loaded.append(1))
    model.take_judged(pd.DataFrame(columns=["error_probability", "motion"]))
    assert not loaded
    assert not len(model.table)
