"""Tracks through napari's own opening and saving, round and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog, QToolButton

import napari_virtualstain
from napari_virtualstain.errors import InputError
from napari_virtualstain.folders import settings_folder
from napari_virtualstain.plugin.contributions.reader_preferences import propose_readers
from napari_virtualstain.plugin.contributions.track_readers import format_of
from napari_virtualstain.plugin.contributions.writers import tracks_of
from napari_virtualstain.plugin.inspect.dock import InspectorWidget
from napari_virtualstain.plugin.layers.colours import brighten, dim
from napari_virtualstain.plugin.layers.description import sampling_of

from .. import inspected

MANIFEST = Path(napari_virtualstain.__file__).parent / "napari.yaml"


@pytest.fixture
def viewer(viewer_model: Any, npe2pm: Any) -> Any:
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    return viewer_model


def _fresh() -> Any:
    from napari.components import ViewerModel

    return ViewerModel()


def _tracks_layer(viewer: Any) -> Any:
    return next(one for one in viewer.layers if type(one).__name__ == "Tracks")


@pytest.mark.parametrize("ending", [".csv", ".xml", ".geff"])
def test_what_is_saved_in_napari_opens_again_and_nothing_is_lost(
    viewer: Any, tmp_path: Path, ending: str
) -> None:
    if ending == ".geff":
        pytest.importorskip("geff")
    inspected.add_family(viewer)
    layer = viewer.layers["tracked · cell [tracks]"]
    layer.metadata.update(verdicts={3: "wrong"}, link_verdicts={(3, 12): "ok", (1, 4): "unsure"})
    layer.metadata["tracks"].events["status"] = "accepted"
    path = tmp_path / f"mine{ending}"
    for _ in range(2):  # napari has asked before it replaces a file
        assert layer.save(str(path)) == [str(path)]
    again = _fresh()
    again.open(str(path), plugin=None)  # as the dialog and dropping do
    back = _tracks_layer(again)
    np.testing.assert_allclose(back.data, layer.data)
    assert {c: list(of) for c, of in back.graph.items()} == {3: [2], 4: [2]}
    assert sampling_of(back) == sampling_of(layer)
    core, own = back.metadata["tracks"], layer.metadata["tracks"]
    pd.testing.assert_frame_equal(core.events, own.events, check_dtype=False, check_like=True)
    common = [name for name in own.table if name in core.table]
    assert {"quality", "label", "area_um2", "reason"} <= set(common)
    pd.testing.assert_frame_equal(core.table[common], own.table[common], check_dtype=False)
    assert back.metadata["verdicts"] == {3: "wrong"}
    assert back.metadata["link_verdicts"] == {(3, 12): "ok", (1, 4): "unsure"}


def test_a_folder_of_the_cell_tracking_challenge_opens_with_its_labels(
    viewer: Any, tmp_path: Path, qtbot: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer)
    layer = viewer.layers["tracked · cell [tracks]"]
    for _ in range(2):
        layer.save(str(tmp_path / "mine.ctc"))
    again = _fresh()
    again.open(str(tmp_path / "mine.ctc"), plugin=None)  # as the dialog and dropping do
    back = _tracks_layer(again)
    assert {c: list(of) for c, of in back.graph.items()} == {3: [2], 4: [2]}
    labels = next(one for one in again.layers if type(one).__name__ == "Labels")
    made = inspected.inspect(again, qtbot, wait_for)
    assert made.model.masks is not None
    assert made.model.masks.layer is labels


def test_what_a_format_cannot_hold_is_said(viewer: Any, tmp_path: Path) -> None:
    from napari.utils.notifications import notification_manager

    inspected.add_family(viewer)
    layer = viewer.layers["tracked · cell [tracks]"]
    layer.metadata.update(verdicts={3: "wrong"}, link_verdicts={(3, 12): "ok"})
    layer.save(str(tmp_path / "mine.ctc"))
    assert "holds no verdicts, link verdicts" in notification_manager.records[-1].message


def test_the_saved_table_gives_its_verdicts_to_the_same_tracks_again(
    viewer: Any, tmp_path: Path, qtbot: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspected.add_family(viewer)
    first = inspected.inspect(viewer, qtbot, wait_for)
    for track, verdict in {2: "wrong", 3: "ok"}.items():
        inspected.choose(first, track)
        inspected.press(first, verdict)
    path = tmp_path / "table.csv"
    first.keeping.save(path)
    first.model.judge_link((3, 12), "ok")  # the table is kept up to date
    fresh = _fresh()
    inspected.add_family(fresh)
    again = inspected.inspect(fresh, qtbot, wait_for)
    again.model.judge(2, "ok")
    answer = (str(path), "")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_a, **_k: answer)
    menu = again.findChild(QToolButton, "keep").menu()
    next(one for one in menu.actions() if one.text() == "Open tracks…").trigger()
    assert again.model.verdicts == {2: "wrong", 3: "ok"}
    shown = again.table.frame.set_index("track_id")["verdict"]
    assert shown[2] == "wrong"
    assert again.model.link_verdicts == {(3, 12): "ok"}
    assert "3 verdicts taken from table.csv." in again.status_label.text()
    for _ in range(3):
        inspected.press(again, "undo")
    assert (again.model.verdicts, again.model.link_verdicts) == ({2: "ok"}, {})
    # by a spreadsheet, of a track that has gone, of another place, and a word that is no verdict
    path.write_text("track_id;verdict;y_px;x_px\n3;ok;30;24,5\n9;ok;1;1\n4;ok;400;400\n")
    again.keeping.open_tracks(path)
    assert "1 verdict taken" in again.status_label.text()
    assert "2 of other tracks or places were left out" in again.status_label.text()
    path.write_text("track_id,verdict\n3,good\n")
    again.keeping.open_tracks(path)
    assert "'good': expected ok, wrong, unsure" in again.status_label.text()
    path.write_text("track_id,verdict,link_verdicts\n3,ok,first:ok\n")
    again.keeping.open_tracks(path)
    assert "'first:ok' among the verdicts of links" in again.status_label.text()


@pytest.mark.gui
def test_a_table_of_verdicts_is_dropped_before_or_after_its_tracks(
    make_napari_viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    path = tmp_path / "table.csv"
    path.write_text("track_id,verdict\n2,wrong\n")
    viewer.open(str(path), plugin="napari-virtualstain")
    widgets = viewer.window._qt_window.findChildren(InspectorWidget)
    assert "Open their tracks" in widgets[0].status_label.text()
    inspected.add_family(viewer)
    wait_for(widgets[0], "done")
    qtbot.waitUntil(lambda: widgets[0].model.verdicts == {2: "wrong"}, timeout=5000)
    assert "1 verdict taken from table.csv." in widgets[0].status_label.text()
    path.write_text("track_id,verdict\n3,ok\n")
    viewer.open(str(path), plugin="napari-virtualstain")
    assert widgets[0].model.verdicts == {2: "wrong", 3: "ok"}


@pytest.fixture
def napari_settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    from napari.settings import get_settings

    plugins = get_settings().plugins
    before = dict(plugins.extension2reader)
    plugins.extension2reader = {}
    yield plugins
    plugins.extension2reader = before


@pytest.fixture
def with_napari(npe2pm: Any) -> Any:
    """Both plugins that read a CSV: napari's own and this one."""
    import napari_builtins

    npe2pm.register(PluginManifest.from_file(MANIFEST))
    own = Path(napari_builtins.__file__).parent / "builtins.yaml"
    npe2pm.register(PluginManifest.from_file(own))
    return npe2pm


def _dropped(path: Path) -> Any:
    """Open a file as dropping does: without a question, or with an error in place of one."""
    viewer = _fresh()
    viewer._open_or_raise_error([str(path)])
    return viewer


def test_own_files_open_without_a_question_once_the_plugin_was_used(
    with_napari: Any, napari_settings: Any, tmp_path: Path
) -> None:
    from napari.errors import MultipleReaderError

    inspected.add_family(viewer := _fresh())
    layer = viewer.layers["tracked · cell [tracks]"]
    for name in ("mine.csv", "mine.xml", "mine.ctc"):
        layer.save(str(tmp_path / name))
    napari_settings.extension2reader = {}
    with pytest.raises(MultipleReaderError):
        _dropped(tmp_path / "mine.csv")
    propose_readers()  # what the first use of the plugin does; the save above did it too
    assert napari_settings.extension2reader == {}, "it is proposed once only"
    (settings_folder() / "readers_proposed").unlink()
    propose_readers()
    for name in ("mine.csv", "mine.xml", "mine.ctc"):
        back = _tracks_layer(_dropped(tmp_path / name))
        # masks have no middles between pixels
        np.testing.assert_allclose(back.data, layer.data, atol=0.5 if ".ctc" in name else 1e-6)


def test_points_of_napari_still_open_and_a_choice_of_the_user_stands(
    with_napari: Any, napari_settings: Any, tmp_path: Path
) -> None:
    napari_settings.extension2reader = {"*.geff/": "napari"}
    propose_readers()
    assert napari_settings.extension2reader["*.geff/"] == "napari"
    assert napari_settings.extension2reader["*.csv"] == "napari-virtualstain"
    points = tmp_path / "points.csv"
    points.write_text("index,axis-0,axis-1\n0,1.0,2.0\n1,3.0,4.0\n")
    opened = _dropped(points).layers
    assert [type(one).__name__ for one in opened] == ["Points"]
    np.testing.assert_allclose(opened[0].data, [[1, 2], [3, 4]])


def test_a_csv_that_a_third_plugin_reads_is_asked_about(
    with_napari: Any, napari_settings: Any
) -> None:
    third = {"name": "third", "contributions": {}}
    command = {"id": "third.read", "title": "read", "python_name": "third:read"}
    reader = {"command": "third.read", "filename_patterns": ["*.csv"]}
    third["contributions"] = {"commands": [command], "readers": [reader]}
    with_napari.register(PluginManifest(**third))
    propose_readers()
    assert "*.csv" not in napari_settings.extension2reader


def test_tracks_without_units_come_back_without_units(viewer: Any, tmp_path: Path) -> None:
    rows = np.array([(k, t, 5.0 * k, 1.0 * t) for k in (1, 2) for t in range(6)])
    layer = viewer.add_tracks(rows, name="foreign")
    layer.save(str(tmp_path / "foreign.csv"))
    again = _fresh()
    again.open(str(tmp_path / "foreign.csv"), plugin=None)  # as the dialog and dropping do
    back = _tracks_layer(again)
    np.testing.assert_allclose(back.data, layer.data)
    assert sampling_of(back).pixel_size_um is None
    assert sampling_of(back).frame_interval_s is None


def test_tracks_of_a_z_stack_keep_their_planes(viewer: Any, tmp_path: Path) -> None:
    rows = np.array([(k, t, 2.0 + k, 5.0 * k, t) for k in (1, 2) for t in range(5)], float)
    layer = viewer.add_tracks(rows, name="deep", scale=(2, 1, 0.1, 0.1))
    layer.save(str(tmp_path / "deep.csv"))
    again = _fresh()
    again.open(str(tmp_path / "deep.csv"), plugin=None)  # as the dialog and dropping do
    np.testing.assert_allclose(_tracks_layer(again).data, rows)


def test_a_table_of_events_opens_the_tracks_that_it_belongs_to(
    viewer: Any, tmp_path: Path, qtbot: Any, wait_for: Any
) -> None:
    inspected.add_family(viewer)
    made = inspected.inspect(viewer, qtbot, wait_for)
    viewer.layers["tracked · cell [tracks]"].save(str(tmp_path / "mine.csv"))
    again = _fresh()
    again.open(str(tmp_path / "mine.events.csv"), plugin="napari-virtualstain")
    back = _tracks_layer(again)
    assert {c: list(of) for c, of in back.graph.items()} == {3: [2], 4: [2]}
    assert len(back.metadata["tracks"].events) == 1
    (tmp_path / "mine.csv").unlink()
    made.keeping.open_tracks(tmp_path / "mine.events.csv")
    assert "events of mine.csv, which is not beside it" in made.status_label.text()


def test_other_peoples_csv_and_xml_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("item,price\nmilk,1\n")
    (tmp_path / "note.xml").write_text("<note/>")
    (tmp_path / "folder").mkdir()
    assert [format_of(tmp_path / n) for n in ("prices.csv", "note.xml", "folder", "none.csv")] == [
        None
    ] * 4


def _worked_on(viewer: Any, qtbot: Any, wait_for: Any) -> InspectorWidget:
    inspected.add_family(viewer)
    made = inspected.inspect(viewer, qtbot, wait_for)
    inspected.choose(made, 2)
    made.viewer.dims.set_point(0, 2.0 * 4)
    inspected.press(made, "cut_here")
    inspected.choose(made, 1)
    inspected.press(made, "wrong")
    return made


def test_edits_and_verdicts_of_a_killed_session_are_offered_and_repeated(
    viewer: Any, qtbot: Any, wait_for: Any
) -> None:
    worked = _worked_on(viewer, qtbot, wait_for)
    log = worked.model.log
    assert log is not None
    assert log.path.exists()
    # napari is killed here: nothing else was saved
    again = _fresh()
    inspected.add_family(again)
    made = inspected.inspect(again, qtbot, wait_for)
    assert made.notice.isVisibleTo(made)
    assert "1 edit and 1 verdict " in made.notice.text.text()
    made.notice.apply.click()
    assert sorted(made.table.frame["track_id"]) == [1, 2, 3, 4, 5]
    assert made.table.frame.set_index("track_id").loc[1, "verdict"] == "wrong"
    assert (inspected.labels(made)[4:10] == 5).any()
    np.testing.assert_array_equal(inspected.layer(made).data, inspected.layer(worked).data)
    inspected.press(made, "undo")
    inspected.press(made, "undo")
    assert sorted(made.table.frame["track_id"]) == [1, 2, 3, 4]
    assert made.model.log.path == log.path


def test_beginning_afresh_leaves_the_old_log_alone(viewer: Any, qtbot: Any, wait_for: Any) -> None:
    worked = _worked_on(viewer, qtbot, wait_for)
    before = worked.model.log.path.read_bytes()
    again = _fresh()
    inspected.add_family(again)
    made = inspected.inspect(again, qtbot, wait_for)
    made.notice.leave.click()
    assert not made.notice.isVisibleTo(made)
    inspected.choose(made, 3)
    inspected.press(made, "delete")
    assert made.model.log.path != worked.model.log.path
    assert worked.model.log.path.read_bytes() == before


def test_the_log_lies_beside_the_movie_and_another_movie_is_not_offered_it(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cell.tif"
    path.write_bytes(b"stands for the movie")
    inspected.add_family(viewer)
    viewer.layers["cell [fluorescence]"].metadata["virtualstain"] = {
        "step": "load",
        "source": str(path),
    }
    made = inspected.inspect(viewer, qtbot, wait_for)
    inspected.choose(made, 1)
    inspected.press(made, "ok")
    assert made.model.log.path == tmp_path / "cell.tif.edits.jsonl"
    other = _fresh()
    inspected.add_family(other)
    other.layers["cell [fluorescence]"].metadata["virtualstain"] = {
        "step": "load",
        "source": str(path),
    }
    other.layers["cell [fluorescence]"].data[0, 0, 0] = 7
    second = inspected.inspect(other, qtbot, wait_for)
    assert not second.notice.isVisibleTo(second)
    assert "another movie" in second.status_label.text()


def test_a_session_is_saved_and_gone_on_with_on_another_day(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked = _worked_on(viewer, qtbot, wait_for)
    corners = np.array([[0, 2, 2], [0, 2, 9], [0, 9, 9], [0, 9, 2]])
    viewer.add_shapes([corners], name="region", face_color="transparent", edge_color="#56b4e9")
    viewer.layers["cell [fluorescence]"].contrast_limits = (5, 50)
    dim(viewer.layers["cell [fluorescence]"])  # as below a stain: no colormap of napari's
    dimmed = viewer.layers["cell [fluorescence]"].colormap
    worked.threshold.setValue(0.35)
    worked.table.filter.setText("frames > 3")
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "tuesday.vsession"), "")
    )
    menu = worked.findChild(QToolButton, "keep").menu()
    next(one for one in menu.actions() if one.text() == "Save session…").trigger()
    assert "tuesday.vsession" in worked.status_label.text()
    again = _fresh()
    again.open(str(tmp_path / "tuesday.vsession"), plugin=None)
    names = [layer.name for layer in viewer.layers if "inspected" not in layer.name]
    assert [layer.name for layer in again.layers] == names
    for layer in again.layers:
        before = viewer.layers[layer.name]
        if layer.name != "region":
            np.testing.assert_array_equal(layer.data, before.data)
            np.testing.assert_allclose(layer.scale, before.scale)
            assert [str(unit) for unit in layer.units] == [str(unit) for unit in before.units]
    image = again.layers["cell [fluorescence]"]
    assert tuple(image.contrast_limits) == (5, 50)
    np.testing.assert_array_equal(image.colormap.colors, dimmed.colors)
    brighten(image)
    assert image.colormap.name == "gray"
    drawn, back = viewer.layers["region"], again.layers["region"]
    np.testing.assert_array_equal(back.data[0], drawn.data[0])
    np.testing.assert_allclose(back.face_color, drawn.face_color)  # filled, it would hide the cell
    np.testing.assert_allclose(back.edge_color, drawn.edge_color)
    made = inspected.inspect(again, qtbot, wait_for)
    outlines = "tracked outlines · cell [tracked mitochondria]"
    assert again.layers[outlines].contour == viewer.layers[outlines].contour == 1
    np.testing.assert_array_equal(
        again.layers[outlines].colormap.colors, viewer.layers[outlines].colormap.colors
    )
    np.testing.assert_array_equal(
        inspected.layer(made).track_colors, inspected.layer(worked).track_colors
    )
    assert not made.notice.isVisibleTo(made)  # they are in the tracks already
    assert (made.threshold.value(), made.table.filter.text()) == (0.35, "frames > 3")
    made.table.filter.clear()
    table = made.table.frame.set_index("track_id")
    assert sorted(table.index) == [1, 2, 3, 4, 5]
    assert table.loc[1, "verdict"] == "wrong"
    assert made.model.log.path == worked.model.log.path
    assert made.model.tracks.events[0]["parents"] == "5"
    inspected.choose(made, 5)
    inspected.press(made, "delete")
    assert not (inspected.labels(made) == 5).any()


def test_a_folder_that_is_no_session_is_refused_in_words(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path
) -> None:
    inspected.add_family(viewer)
    made = inspected.inspect(viewer, qtbot, wait_for)
    made.keeping.open_session(tmp_path)
    assert "no session" in made.status_label.text()
    (tmp_path / "session.json").write_text("{}")
    made.keeping.open_session(tmp_path)
    assert "is no session of this plugin" in made.status_label.text()


def test_the_inspector_opens_tracks_without_asking_for_a_reader(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path
) -> None:
    inspected.add_family(viewer)
    layer = viewer.layers["tracked · cell [tracks]"]
    layer.save(str(tmp_path / "mine.xml"))
    layer.save(str(tmp_path / "mine.ctc"))
    made = inspected.inspect(viewer, qtbot, wait_for)
    made.keeping.open_tracks(tmp_path / "mine.xml")
    wait_for(made, "done")
    assert made.source.value.name == "mine [tracks]"
    assert len(made.table.frame) == 4
    made.keeping.open_tracks(tmp_path / "mine.ctc" / "res_track.txt")
    assert made.source.value.name == "mine.ctc [tracks]"
    (tmp_path / "prices.csv").write_text("item,price\n")
    made.keeping.open_tracks(tmp_path / "prices.csv")
    assert "holds no tracks" in made.status_label.text()


_SPOTS = "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,FRAME"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("Track,Slice,X,Y\n1,1,10,20\n", "it has Track, Slice, X, Y. Rename its columns"),
        (f"{_SPOTS}\nID0,0,0,5,1,2,0\n", "Save the tracks of TrackMate as XML"),
        ("track_id,frame,y_um,x_um\n", "holds no track"),
    ],
)
def test_a_table_without_tracks_is_refused_in_words(
    viewer: Any, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "spots.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        viewer.open(str(tmp_path / "spots.csv"), plugin="napari-virtualstain")
    assert str(caught.value).startswith("spots.csv")
    assert said in str(caught.value)
    assert not viewer.layers


def test_without_units_a_pixel_is_a_micrometre_and_a_frame_a_second() -> None:
    rows = [[1, 0, 4.0, 6.0], [1, 1, 4.0, 7.0]]
    tracks = tracks_of(rows, {"scale": (3.0, 0.5, 0.5)})
    assert (tracks.pixel_size_um, tracks.frame_interval_s) == (1, 1)
    assert tracks.table[["y_um", "x_um"]].to_numpy().tolist() == [[4, 6], [4, 7]]
