"""List, table and buttons of the dock `Run on many movies`, without running it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QPushButton

from napari_virtualstain import pipeline
from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.io import write_image
from napari_virtualstain.pipeline import MovieOutcome, MovieRow, save_settings
from napari_virtualstain.plugin.kit.jobs import JobContext, Outcome
from napari_virtualstain.plugin.kit.preferences import Preferences
from napari_virtualstain.plugin.layers.description import provenance
from napari_virtualstain.plugin.run_all.many_dock import RunManyWidget
from napari_virtualstain.plugin.run_all.many_job import LayerMovie, RunManyRequest, run_many_job
from napari_virtualstain.progress import Progress
from napari_virtualstain.settings import PipelineSettings

AXES = {"axis_labels": ("t", "y", "x")}
MOVIE = np.zeros((3, 16, 16), np.float32)


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, tiny_models: Path) -> RunManyWidget:
    made = RunManyWidget(viewer_model)
    qtbot.addWidget(made)
    return made


def _listed(widget: RunManyWidget) -> list[str]:
    return [widget.list.item(row).text() for row in range(widget.list.count())]


def _press(widget: RunManyWidget, text: str) -> None:
    """Click on the button of this text or, where that is three dots, of this tooltip."""
    buttons = widget.findChildren(QPushButton)
    [found] = [b for b in buttons if text in (b.text().replace("&", ""), b.toolTip())]
    found.click()


def test_movies_and_a_folder_for_the_results_are_needed(widget: RunManyWidget) -> None:
    said = widget.status_label.text
    assert said().startswith("Add movies")
    widget.add(Path("a.tif"))
    assert said() == "Choose a folder for the results."
    widget.out_edit.setText("  ")
    assert said() == "Choose a folder for the results."
    with pytest.raises(InputError):
        widget.prepare()
    widget.out_edit.setText("~/results")
    assert said() == "Ready to run on 1 movie."
    assert widget.out == Path("~/results").expanduser()
    widget.add(Path("b.tif"), Path("a.tif"))
    assert said() == "Ready to run on 2 movies."
    assert _listed(widget) == ["a.tif", "b.tif"]


def test_the_chosen_movies_are_removed_from_the_list(widget: RunManyWidget) -> None:
    widget.add(*(Path(f"day/{name}.tif") for name in "abc"))
    assert widget.list.item(1).toolTip() == str(Path("day/b.tif"))
    _press(widget, "Remove")  # nothing is chosen
    assert len(_listed(widget)) == 3
    for row in (0, 2):
        widget.list.item(row).setSelected(True)
    _press(widget, "Remove")
    assert _listed(widget) == ["b.tif"]


@pytest.mark.parametrize(
    ("name", "record", "is_offered"),
    [
        ("cell", {}, True),
        ("cell bright-field", {}, True),
        ("cell mCherry", {}, False),
        ("cell fluorescence", {}, False),
        ("cell", {"step": "load"}, True),
        ("cell", {"step": "sample"}, True),
        ("cell", {"step": "simulate", "role": "bright_field"}, True),
        ("cell", {"step": "simulate", "role": "fluorescence"}, False),
        ("cell", {"step": "stain"}, False),
        ("cell", {"step": "preview"}, False),
    ],
)
def test_bright_field_movies_of_the_window_are_added(
    widget: RunManyWidget, name: str, record: dict[str, str], is_offered: bool
) -> None:
    layer = widget.viewer.add_image(MOVIE, name=name, metadata={"virtualstain": record}, **AXES)
    widget.viewer.layers.selection.active = layer
    for _ in range(2):
        _press(widget, "Layers")
    assert _listed(widget) == ([name] if is_offered else [])


def test_layers_keep_their_sampling_and_colour_images_are_no_movies(
    widget: RunManyWidget,
) -> None:
    units = ("s", "um", "um")
    widget.viewer.add_image(MOVIE, name="cell", scale=(2.0, 0.1, 0.1), units=units, **AXES)
    widget.viewer.add_image(np.zeros((8, 8, 3), np.uint8), name="photo", rgb=True)
    widget.viewer.add_labels(MOVIE.astype(int), name="labels", **AXES)
    widget.add_layers()
    [movie] = widget._movies
    assert (movie.axes, movie.pixel_size_um, movie.frame_interval_s) == ("tyx", 0.1, 2.0)
    stack = movie.open()
    assert (stack.name, stack.axes, stack.data.shape) == ("cell", "tyx", (3, 16, 16))
    assert (stack.pixel_size_um, stack.frame_interval_s) == (0.1, 2.0)


def test_files_and_folders_come_from_dialogs_and_from_a_drop(
    widget: RunManyWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = tmp_path / "day"
    day.mkdir()
    for name in ("b", "a"):
        (day / f"{name}.tif").write_bytes(b"")
    chosen: dict[str, Any] = {"files": ([], ""), "folder": ""}
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: chosen["files"])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: chosen["folder"])
    for text in ("Files…", "Folder…", "Choose a folder"):
        _press(widget, text)
    assert (_listed(widget), widget.out) == ([], None)  # the dialogs were closed
    chosen["folder"] = str(tmp_path / "day" / "a.tif")
    _press(widget, "Folder…")
    assert "NotADirectoryError" in widget.status_label.text()
    chosen.update(files=([str(tmp_path / "c.tif")], ""), folder=str(day))
    _press(widget, "Files…")
    _press(widget, "Folder…")
    assert _listed(widget) == ["c.tif", "a.tif", "b.tif"]
    _press(widget, "Choose a folder")
    assert widget.out == day
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "d.tif")), QUrl("https://example.org/e.tif")])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    for event in (
        QDragEnterEvent(QPoint(3, 3), copy, mime, buttons, keys),
        QDropEvent(QPointF(3, 3), copy, mime, buttons, keys),
    ):
        QApplication.sendEvent(widget, event)
        assert event.isAccepted()
    assert _listed(widget)[-1] == "d.tif"


def _row(widget: RunManyWidget, name: str, error: Exception | None = None) -> Any:
    """Return the outcome of a movie as the thread hands it over."""
    folder = widget.out / name
    movie = SimpleNamespace(folder=folder)
    row = MovieRow(f"day/{name}.tif", message="" if error is None else str(error))
    return MovieOutcome(movie, row, None, error)


def _cells(widget: RunManyWidget) -> list[str]:
    return list(widget.table.frame["message"])


def test_movies_that_failed_are_counted_and_named_in_words_of_the_dock(
    widget: RunManyWidget, tmp_path: Path
) -> None:
    widget.out_edit.setText(str(tmp_path))
    widget.add(Path("a.tif"), Path("b.tif"))
    widget.runner.start = lambda *_: None
    assert widget.table.isHidden()
    widget.run()
    assert not widget.table.isHidden()
    widget.on_items([_row(widget, "a")])
    assert widget.on_result(None).startswith("1 movie done in ")
    assert "failed" not in widget.on_result(None)
    error = InputError("There are results of other settings (--overwrite).")
    widget.on_items([_row(widget, "b", error)])
    assert ", 1 failed: see the message in the table" in widget.on_result(None)
    assert _cells(widget) == [
        "",
        "There are results of other settings (Replace results of other settings).",
    ]
    assert widget.table.frame["movie"].tolist() == ["a.tif", "b.tif"]
    widget.on_end(Outcome(error=CancelledError("cancelled")))
    assert "press the button again" in widget.status_label.text()
    for row in (1, 2):  # that failed, and that is not there yet
        widget.open_row(row)
        assert widget.status_label.text().startswith("This movie has no results")
    widget.open_row(0)
    assert "a" in widget.status_label.text()
    assert len(widget.viewer.layers) == 0  # its files are gone
    widget.run()
    assert widget.table.frame.empty


def _results(folder: Path, *, tracks: bool) -> None:
    """Write what a run leaves of a movie of three frames."""
    folder.mkdir(parents=True)
    sampling = {"axes": "tyx", "pixel_size_um": 0.1, "frame_interval_s": 2.0}
    labels = np.zeros((3, 16, 16), np.int32)
    labels[:, 4:8, 4:8] = 1
    write_image(folder / "virtual_fluorescence.ome.tif", MOVIE + 1, **sampling)
    write_image(folder / "labels.ome.tif", labels, **sampling)
    columns = "track_id frame y_um x_um y_px x_px label area_um2 interpolated quality parent"
    rows = [f"1,{t},0.55,0.55,5.5,5.5,1,0.16,False,1.0," for t in range(3)] if tracks else []
    (folder / "tracks.csv").write_text("\n".join([columns.replace(" ", ","), *rows]) + "\n")


def test_results_are_opened_once_alone_and_again_when_one_was_deleted(
    widget: RunManyWidget, tmp_path: Path
) -> None:
    widget.out_edit.setText(str(tmp_path))
    layers = widget.viewer.layers
    source = widget.viewer.add_image(MOVIE, name="a", **AXES)
    other = widget.viewer.add_image(MOVIE, name="other", **AXES)
    for name, tracks in (("a", True), ("b", False)):
        _results(tmp_path / name, tracks=tracks)
    widget._movies = [Path("a.tif"), Path("b.tif")]
    widget.runner.start = lambda *_: None
    widget.run()
    widget.on_items([_row(widget, "a"), _row(widget, "b")])
    widget.open_row(0)
    made = ["stained · a [fluorescence]", "segmented · a [mitochondria]", "tracked · a [tracks]"]
    assert [layer.name for layer in layers] == ["a", "other", *made]
    assert [layer.visible for layer in layers] == [True, False, True, True, True]
    assert layers.selection.active is layers[made[-1]]
    assert tuple(layers[made[-1]].scale) == (2.0, 0.1, 0.1)
    assert layers[made[0]].colormap.name == "green"
    assert layers[made[1]].contour > 0
    widget.open_row(1)  # no mitochondrion was followed in it
    assert len(layers) == 7
    assert not source.visible
    assert not other.visible
    layers.remove(made[0])
    widget.open_row(0)
    assert made[0] in layers
    assert source.visible


def test_settings_go_to_a_file_and_back(widget: RunManyWidget, tmp_path: Path) -> None:
    widget.steps.generator.value, widget.steps.segmenter.value = "tiny", "bright"
    widget.steps.segment["threshold"].value = 0.7
    asked = widget.settings
    for _ in range(2):  # a file that is there is what was asked for
        widget.save_settings(tmp_path / "mine.json")
    assert "--config mine.json" in widget.status_label.text()
    save_settings(tmp_path / "plain.json", PipelineSettings(), overwrite=False)
    widget.load_settings(tmp_path / "plain.json")
    assert widget.settings != asked
    widget.load_settings(tmp_path / "mine.json")
    assert widget.settings == asked
    assert widget.status_label.text() == "Loaded mine.json."


def test_the_picture_of_a_comparison_is_no_movie(widget: RunManyWidget) -> None:
    record = provenance("compare", "cell")
    widget.viewer.add_image(MOVIE, name="comparison", metadata=record, **AXES)
    widget.add_layers()
    assert _listed(widget) == []


@pytest.mark.parametrize(("device", "asked"), [("auto", None), ("cpu", "cpu")])
def test_progress_says_which_movie_of_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, asked: str | None
) -> None:
    given: list[Any] = []
    opened: list[Any] = []

    def process(movies: Any, out: Path, settings: Any, **options: Any) -> Any:
        given.append((out, settings, options["device"], options["overwrite"]))
        for movie in movies:
            opened.append(movie.open().data.shape)
            options["progress"](Progress(0, 3, "frame", "staining"))
            yield MovieOutcome(movie, MovieRow(movie.name))

    monkeypatch.setattr(pipeline, "process_movies", process)
    write_image(tmp_path / "a.ome.tif", MOVIE[:2], axes="tyx")
    layer = LayerMovie("cell", MOVIE, "tyx", 0.1, 2.0, "tiny")
    movies, settings = (tmp_path / "a.ome.tif", layer), PipelineSettings()
    chosen = Preferences(device=device)
    context = JobContext()
    work = run_many_job(RunManyRequest(movies, tmp_path, settings, True, chosen), context)
    said = [(outcome.row.movie, context.latest.step) for outcome in work]
    assert said == [
        (str(movies[0]), "movie 1 of 2, staining"),
        ("cell", "movie 2 of 2, staining"),
    ]
    assert given == [(tmp_path, settings, asked, True)]
    assert opened == [(2, 16, 16), (3, 16, 16)]
