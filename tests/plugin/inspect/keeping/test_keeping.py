"""Tables and sessions that are saved from the dock, and opened in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog, QToolButton

from napari_virtualstain.errors import ImageFileError, InputError, OutputError
from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.inspect.keeping import session
from napari_virtualstain.plugin.inspect.keeping.colours_as_json import colours_of, looks_from
from napari_virtualstain.plugin.inspect.keeping.verdict_table import (
    read_verdicts,
    with_link_verdicts,
)
from napari_virtualstain.plugin.inspect.overlay import is_overlay
from napari_virtualstain.tracking import EditableTracks

from ... import inspected

TRACKS = EditableTracks(
    pd.DataFrame({"track_id": [3, 3], "frame": [0, 1], "y_px": 10.0, "x_px": [20.0, 22.0]})
)

OF_LINKS = "track_id,verdict,link_verdicts"


def _pick(widget: InspectorWidget, text: str) -> None:
    menu = widget.findChild(QToolButton, "keep").menu()
    next(one for one in menu.actions() if one.text() == text).trigger()


def _said(widget: InspectorWidget) -> str:
    return str(widget.status_label.text())


def test_a_table_is_kept_up_to_date_until_it_cannot_be_written(
    widget: InspectorWidget, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    answers = iter(["", str(path)])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_a: (next(answers), ""))
    _pick(widget, "Table and verdicts as CSV…")  # and then Cancel
    assert "Saved" not in _said(widget)
    inspected.choose(widget, 1)
    inspected.press(widget, "ok")
    assert not list(tmp_path.glob("*.csv"))
    _pick(widget, "Table and verdicts as CSV…")
    assert _said(widget) == "Saved 3 tracks as table.csv; it is kept up to date."
    inspected.press(widget, "wrong")
    assert _said(widget) == "Track 1: wrong. 1 of 3 judged."
    assert pd.read_csv(path)["verdict"].tolist().count("wrong") == 1
    path.unlink()
    path.mkdir()
    (path / "somebody's").touch()
    inspected.press(widget, "ok")
    no_more = "The table is kept up to date no more."
    qtbot.waitUntil(lambda: _said(widget).endswith(no_more), timeout=5000)
    assert "table.csv" in _said(widget)
    assert widget.model.verdicts == {1: "ok"}
    (path / "somebody's").unlink()
    path.rmdir()
    inspected.press(widget, "unsure")  # it was given up
    assert not path.exists()
    for _ in range(2):
        widget.say("")
        widget.keeping.save(path)
        assert _said(widget) == "Saved 3 tracks as table.csv; it is kept up to date."
    widget.keeping.save(path / "below a file.csv")
    qtbot.waitUntil(lambda: "below a file.csv" in _said(widget), timeout=5000)
    assert not _said(widget).endswith(no_more)  # it never was


def test_a_log_that_cannot_be_written_is_said_after_the_edit(
    widget: InspectorWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_record: Any) -> None:
        raise OutputError("The disk is full. Make room.")

    monkeypatch.setattr(widget.model.log, "append", full)
    inspected.choose(widget, 1)
    inspected.press(widget, "delete")
    qtbot.waitUntil(lambda: _said(widget) == "The disk is full. Make room.", timeout=5000)
    assert widget.model.tracks.track_ids == [2, 3]
    inspected.press(widget, "undo")  # it goes on without
    assert widget.model.tracks.track_ids == [1, 2, 3]
    qtbot.wait(10)
    assert _said(widget).startswith("Undone: ")


def test_sessions_are_saved_and_opened_from_the_menu(
    widget: InspectorWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = tmp_path / "monday.vsession"
    answers = iter(["", str(tmp_path / "monday")])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_a: (next(answers), ""))
    folders = iter(["", str(saved), str(tmp_path)])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_a: next(folders))
    inspected.choose(widget, 1)  # highlighted: that is no part of it
    widget.table.hidden = {"gaps", "first"}
    _pick(widget, "Save session…")  # and then Cancel
    assert not saved.exists()
    _pick(widget, "Save session…")
    assert _said(widget).startswith("Saved the session as monday.vsession.")
    again = InspectorWidget(ViewerModel())
    for said in ("", "", "There is no session in"):
        _pick(again, "Open session…")
        assert said in _said(again)
    assert [one.name for one in again.viewer.layers if not is_overlay(one)] == [
        "glow",
        "cell [tracks]",
    ]
    kept = json.loads((saved / "session.json").read_text())["layers"][1]["metadata"]["inspector"]
    assert kept == {"threshold": 0.2, "filter": "", "hidden": ["first", "gaps"]}
    widget.keeping.save_session(saved / "session.json" / "below a file")
    assert "below a file" in _said(widget) or "session.json" in _said(widget)
    assert not _said(widget).startswith("Saved")
    again.tear_down()


def test_verdicts_wait_for_their_tracks(
    qtbot: Any, viewer_model: Any, wait_for: Any, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("track_id,verdict,link_verdicts\n2,wrong,7:ok;9:unsure\n5,ok,\n")
    widget = InspectorWidget(viewer_model)
    qtbot.addWidget(widget)
    widget.keeping.open_tracks(path)
    assert _said(widget) == "table.csv holds verdicts. Open their tracks: they are given then."
    data, _ = inspected.three_tracks()
    viewer_model.add_tracks(data, name="cell [tracks]", **inspected.SCALE)
    wait_for(widget, "done")
    qtbot.waitUntil(lambda: widget.model.verdicts == {2: "wrong"}, timeout=10_000)
    assert widget.model.link_verdicts == {(2, 7): "ok", (2, 9): "unsure"}
    said = "3 verdicts taken from table.csv. 1 of other tracks or places were left out."
    assert _said(widget) == said
    path.write_text("track_id,verdict\n2,good\n")
    widget.keeping.when_listed(path)
    assert "has the verdict 'good': expected ok, wrong, unsure, or nothing" in _said(widget)
    assert widget.model.verdicts == {2: "wrong"}


@pytest.mark.parametrize(
    ("text", "taken", "links", "strangers"),
    [
        ("track_id,verdict\n,ok\n3,ok\n", {3: "ok"}, {}, 1),
        ("track_id,verdict\nthird,ok\n3.5,ok\n", {}, {}, 2),
        ("track_id,verdict,y_px,x_px\n3,ok,,\n", {}, {}, 1),
        ("track_id,verdict,first,last\n3,ok,,1\n", {}, {}, 1),
        ("track_id,verdict,first,last\n3,ok,0,1\n", {3: "ok"}, {}, 0),
        ("track_id,verdict\n3,\n3, \n", {}, {}, 0),
        (f"{OF_LINKS}\n3,,1:ok; 7 : wrong ;\n", {}, {(3, 1): "ok", (3, 7): "wrong"}, 0),
        (f"{OF_LINKS}\n4,,1:ok\n", {}, {}, 1),
    ],
)  # fmt: skip
def test_rows_of_no_track_here_are_counted(
    tmp_path: Path, text: str, taken: Any, links: Any, strangers: int
) -> None:
    (tmp_path / "table.csv").write_text(text)
    found = read_verdicts(tmp_path / "table.csv", TRACKS)
    assert (found.tracks, found.links, found.strangers) == (taken, links, strangers)
    assert all(type(track) is int for track in found.tracks)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("track_id,frames\n3,4\n", "table.csv lacks the columns verdict."),
        ("track_id,verdict\n3,right\n3,good\n", "has the verdict 'good'"),
        (f"{OF_LINKS}\n3,ok,7\n", "'7' among the verdicts of links"),
        (f"{OF_LINKS}\n3,ok,7:fine\n", "has the verdict 'fine'"),
        (f"{OF_LINKS}\n3,ok,-7:ok\n", "'-7:ok' among the verdicts of links"),
    ],
)
def test_tables_of_no_verdicts_are_refused_in_words(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InputError, match=why):
        read_verdicts(tmp_path / "table.csv", TRACKS)


def test_without_verdicts_of_links_the_table_is_as_it_was() -> None:
    table = pd.DataFrame({"track_id": [3, 5, 4]})
    assert with_link_verdicts(table, {}) is table
    links = {(5, 12): "ok", (3, 9): "wrong", (5, 7): "unsure"}
    assert with_link_verdicts(table, links)["link_verdicts"].tolist() == [
        "9:wrong",
        "7:unsure;12:ok",
        "",
    ]


@pytest.mark.parametrize("what", ["tracks", "image", "lazy", "z-stack", "shapes", "points"])
def test_each_kind_of_layer_comes_back_from_a_session(
    viewer_model: Any, tmp_path: Path, what: str
) -> None:
    import dask.array as da

    rng = np.random.default_rng(0)
    stack = rng.random((3, 4, 5))
    points = rng.random((6, 2))
    corners = [np.array([[0, 0], [0, 4], [4, 4], [4, 0]]), np.array([[1.0, 1], [2, 5], [3, 0]])]
    rows = np.array([(k, t, 5.0 * k, t) for k in (1, 2) for t in range(3)], float)
    made = {
        "image": lambda: viewer_model.add_image(stack[0], gamma=0.5),
        "lazy": lambda: viewer_model.add_image(da.from_array(stack, chunks=(1, 4, 5))),
        "z-stack": lambda: viewer_model.add_image(da.from_array(stack[None], chunks=(1, 3, 4, 5))),
        "tracks": lambda: viewer_model.add_tracks(rows, graph={2: 1}, tail_length=7),
        "points": lambda: viewer_model.add_points(points, face_color=rng.random((6, 4))),
        "shapes": lambda: viewer_model.add_shapes(corners, shape_type="polygon"),
    }[what]()
    made.metadata.update(verdicts={2: "ok"}, link_verdicts={(2, 1): "wrong"}, other=1)
    saved = session.save_session(viewer_model, tmp_path / "monday")
    assert session.is_session(saved)
    again = ViewerModel()
    for data, looks, kind in session.read_session(saved):
        getattr(again, f"add_{kind}")(data, **looks)
    (back,) = again.layers
    for own, its in zip(made.data, back.data, strict=True):
        np.testing.assert_array_equal(np.asarray(own), np.asarray(its))
    assert (back.metadata["verdicts"], back.metadata["link_verdicts"]) == (
        {2: "ok"}, {(2, 1): "wrong"}
    )  # fmt: skip
    assert "other" not in back.metadata
    for name in ("gamma", "tail_length", "opacity", "visible"):
        assert getattr(back, name, None) == getattr(made, name, None)
    if what == "tracks":
        assert {c: list(of) for c, of in back.graph.items()} == {2: [1]}
    if what in ("points", "shapes"):
        np.testing.assert_allclose(back.face_color, made.face_color)
    is_lazy = isinstance(back.data, np.memmap)
    assert is_lazy == (what in ("image", "lazy", "z-stack"))


def test_what_is_no_session_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "monday.vsession"
    with pytest.raises(ImageFileError, match="There is no session"):
        session.read_session(folder)
    folder.mkdir()
    assert not session.is_session(folder)
    assert session.get_session_reader(str(folder)) is None
    for text, why in (
        ("{", "is damaged"),
        ("[1]", "is no session of this plugin"),
        ('{"format": "another"}', "is no session of this plugin"),
    ):
        (folder / "session.json").write_text(text)
        with pytest.raises(InputError, match=why):
            session.read_session(folder)
    assert session.is_session(folder)
    assert session.get_session_reader([str(folder)]) is not None
    assert session.get_session_reader([str(folder), str(tmp_path)]) is None
    assert session.get_session_reader([]) is None
    folder.rename(tmp_path / "monday")
    assert not session.is_session(tmp_path / "monday")


def test_sessions_of_the_first_version_open_with_their_colours(tmp_path: Path) -> None:
    folder = tmp_path / "old.vsession"
    folder.mkdir()
    np.save(folder / "0.npy", np.zeros((4, 4)))
    record: dict[str, Any] = {"kind": "image", "data": "0.npy", "metadata": {}}
    for given, shown in (("magenta", "magenta"), ("of another program", "gray"), (None, "gray")):
        looks = {} if given is None else {"colormap": given}
        content = {"format": session.FORMAT, "layers": [{**record, "looks": looks}]}
        (folder / "session.json").write_text(json.dumps(content))
        ((_, back, _),) = session.read_session(folder)
        assert back["colormap"] == shown


def test_only_own_colours_of_labels_and_tracks_are_made_again(viewer_model: Any) -> None:
    inspected.add_family(viewer_model)
    own = viewer_model.layers["tracked outlines · cell [tracked mitochondria]"]
    tracks = viewer_model.layers["tracked · cell [tracks]"]
    other = viewer_model.add_labels(np.zeros((4, 4), int))
    foreign = viewer_model.add_tracks(np.array([(1, 0, 4.0, 4.0), (1, 1, 4, 4)]))
    points = viewer_model.add_points(np.zeros((1, 2)))
    written = {
        one.name: looks_from(colours_of(one, kind), kind)
        for one, kind in (
            (own, "labels"),
            (other, "labels"),
            (tracks, "tracks"),
            (foreign, "tracks"),
            (points, "points"),
        )
    }
    assert list(written[own.name]) == ["colormap"]
    assert list(written[tracks.name]) == ["colormaps_dict"]
    assert [written[one.name] for one in (other, foreign, points)] == [{}, {}, {}]
    assert colours_of(own, "labels")["contour"] == 1
