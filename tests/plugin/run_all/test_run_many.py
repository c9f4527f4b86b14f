"""Many movies from the dock, and the same from the command line."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from typer.testing import CliRunner

from napari_virtualstain import simulate
from napari_virtualstain.cli.app import app
from napari_virtualstain.io import open_stack, write_image
from napari_virtualstain.plugin.run_all.many_dock import RunManyWidget
from napari_virtualstain.plugin.run_all.many_job import movies_in
from napari_virtualstain.plugin.stain.dock import StainWidget

pytestmark = pytest.mark.usefixtures("tiny_models")
RESULTS = ("virtual_fluorescence.ome.tif", "labels.ome.tif")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two movies and of a file that is none, in between."""
    made = tmp_path / "day1"
    made.mkdir()
    for seed, name in enumerate(("a", "c")):
        scene = simulate(frames=3, size=64, count=4, seed=seed)
        write_image(
            made / f"{name}.ome.tif",
            scene.bright_field,
            axes="tyx",
            pixel_size_um=0.08,
            frame_interval_s=2.0,
        )
    (made / "b.tif").write_text("no image")
    return made


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any, tmp_path: Path) -> RunManyWidget:
    made = RunManyWidget(viewer_model)
    qtbot.addWidget(made)
    made.steps.generator.value, made.steps.segmenter.value = "tiny", "bright"
    made.steps.segment["threshold"].value = 0.6
    made.out_edit.setText(str(tmp_path / "out"))
    return made


def _cells(widget: RunManyWidget) -> list[list[str]]:
    """Return the texts of the table, row by row."""
    model = widget.table.frame_model
    return [
        [str(model.data(model.index(row, column))) for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def test_a_folder_of_movies_gives_a_table_and_the_command_the_same(
    qtbot: Any, widget: RunManyWidget, wait_for: Any, folder: Path, tmp_path: Path
) -> None:
    assert not widget.run_button.isEnabled()
    assert "Add movies" in widget.status_label.text()
    widget.add_folder(folder)
    texts = [widget.list.item(row).text() for row in range(widget.list.count())]
    assert texts == ["a.ome.tif", "b.tif", "c.ome.tif"]
    widget.resize(320, 480)  # as beside the canvas of a small screen
    widget.show()
    assert not widget.table.isVisible()
    qtbot.mouseClick(widget.run_button, Qt.MouseButton.LeftButton)
    wait_for(widget, timeout_s=300)
    assert widget.state == "done", widget.status_label.text()
    qtbot.waitUntil(lambda: widget.table.visibleRegion().boundingRect().height() > 80)
    assert "2 movies done" in widget.status_label.text()
    assert "1 failed" in widget.status_label.text()
    rows = _cells(widget)
    assert [row[0] for row in rows] == ["a.ome.tif", "b.tif", "c.ome.tif"]
    assert [row[1] for row in rows] == ["3", "", "3"]
    assert rows[0][2] in ("green", "amber", "red")
    assert "format that is not known" in rows[1][-1]
    assert rows[0][-1] == rows[2][-1] == ""
    out = tmp_path / "out"
    kept = pd.read_csv(out / "movies.csv")
    assert [Path(name).name for name in kept["movie"]] == [row[0] for row in rows]
    tracks = pd.read_csv(out / "a" / "tracks.csv")
    assert kept["mean_speed_um_s"].notna().tolist() == [True, False, True]
    assert kept.loc[0, "tracks"] == tracks["track_id"].nunique()

    settings = tmp_path / "settings.json"
    widget.save_settings(settings)
    files = [str(path) for path in movies_in(folder)]
    again = tmp_path / "headless"
    result = CliRunner().invoke(app, ["run", *files, "-o", str(again), "--config", str(settings)])
    assert result.exit_code == 2  # one of three failed
    for name in ("a", "c"):
        for file in RESULTS:
            np.testing.assert_array_equal(
                open_stack(out / name / file).data, open_stack(again / name / file).data
            )
        for file in ("tracks.csv", "events.csv", "measures.csv", "settings.json"):
            assert (out / name / file).read_text() == (again / name / file).read_text(), file
    same = pd.read_csv(again / "movies.csv")
    pd.testing.assert_frame_equal(same, kept)

    # a row opens the results of its movie
    widget.open_row(0)
    assert "Opened the results of a." in widget.status_label.text()
    assert widget.viewer.layers["segmented · a [mitochondria]"].data.shape == (3, 64, 64)
    count = len(widget.viewer.layers)
    widget.open_row(2)
    widget.open_row(0)  # shown again, not opened twice
    assert len(widget.viewer.layers) == 2 * count
    shown = {layer.name for layer in widget.viewer.layers if layer.visible}
    assert shown == {layer.name for layer in widget.viewer.layers if " · a [" in layer.name}
    assert widget.viewer.layers["stained · a [fluorescence]"].blending == "additive"
    widget.open_row(1)
    assert "no results" in widget.status_label.text()


def test_a_movie_of_z_stacks_gives_the_same_as_the_command(
    widget: RunManyWidget, wait_for: Any, tmp_path: Path
) -> None:
    planes = [simulate(frames=3, size=64, count=4, seed=seed).bright_field for seed in (0, 1, 2)]
    file = tmp_path / "deep.ome.tif"
    write_image(
        file, np.stack(planes, axis=1), axes="tzyx", pixel_size_um=0.08, frame_interval_s=2.0
    )
    widget.add(file)
    widget.steps.track["z_plane"].native.setValue(1)
    widget.run_button.click()
    wait_for(widget, timeout_s=300)
    rows = _cells(widget)
    assert [row[:2] for row in rows] == [["deep.ome.tif", "3"]]
    assert rows[0][-1] == ""
    out, again = tmp_path / "out" / "deep", tmp_path / "headless"
    widget.save_settings(tmp_path / "settings.json")
    for options in (["--config", str(tmp_path / "settings.json")], ["--z-plane", "1"]):
        given = ["run", str(file), "-o", str(again), *options, "--overwrite"]
        if "--config" not in options:
            given += ["--model", "tiny", "--segmenter", "bright", "--threshold", "0.6"]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0, result.output
        assert "plane 1 of z; the input has 3 planes" in result.stderr
        for name in RESULTS:
            np.testing.assert_array_equal(
                open_stack(out / name).data, open_stack(again / "deep" / name).data
            )
        for name in ("tracks.csv", "events.csv", "measures.csv"):
            assert (out / name).read_text() == (again / "deep" / name).read_text(), name
    assert open_stack(out / "labels.ome.tif").axes == "tzyx"
    widget.open_row(0)
    assert widget.viewer.layers["segmented · deep [mitochondria]"].data.shape == (3, 3, 64, 64)


def test_a_cancelled_run_goes_on_where_it_stopped(
    widget: RunManyWidget,
    wait_for: Any,
    folder: Path,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_virtualstain.pipeline import many

    original, opened, go_on = many.process_movie, [], threading.Event()

    def slow(stack: Any, place: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(place.name)
        if place.name == "c":
            go_on.wait(20)
        return original(stack, place, *arguments, **options)

    monkeypatch.setattr(many, "process_movie", slow)
    widget.add(folder / "a.ome.tif", folder / "c.ome.tif")
    widget.run_button.click()
    qtbot.waitUntil(lambda: len(_cells(widget)) == 1, timeout=300_000)
    widget.cancel_button.click()
    go_on.set()
    wait_for(widget, "idle", timeout_s=300)
    assert "press the button again" in widget.status_label.text()
    done = (widget.out / "a" / "labels.ome.tif").stat().st_mtime_ns
    widget.run_button.click()
    wait_for(widget, timeout_s=300)
    assert widget.state == "done", widget.status_label.text()
    assert len(_cells(widget)) == 2
    assert (widget.out / "a" / "labels.ome.tif").stat().st_mtime_ns == done


def test_the_model_for_movies_is_that_of_the_dock_that_stains_them(
    qtbot: Any, viewer_model: Any, folder: Path
) -> None:
    movie = np.zeros((2, 32, 32), np.float32)
    viewer_model.add_image(movie, name="film", metadata={"virtualstain": {"step": "simulate"}})
    widget, stain = RunManyWidget(viewer_model), StainWidget(viewer_model)
    for dock in (widget, stain):
        qtbot.addWidget(dock)
    widget.add_layers()
    proposed = widget.steps.generator.combo.currentText()
    assert proposed == stain.model.combo.currentText() == "mito-simulated"
    widget.add(folder / "a.ome.tif")  # one model for both: that of files
    assert widget.steps.generator.combo.currentText() == "mito-h9c2"


def test_layers_are_run_like_files(
    widget: RunManyWidget, wait_for: Any, folder: Path, tmp_path: Path, viewer_model: Any
) -> None:
    from napari_virtualstain.plugin.contributions.readers import read_time_lapse

    [(data, settings, _)] = read_time_lapse(str(folder / "a.ome.tif"))
    viewer_model.add_image(data, **settings)
    widget.add_layers()
    widget.add_layers()  # once is enough
    widget.add(folder / "c.ome.tif")
    assert widget.list.count() == 2
    widget.run_button.click()
    wait_for(widget, timeout_s=300)
    assert [row[-1] for row in _cells(widget)] == ["", ""]
    first, second = (widget._folders[0], tmp_path / "file")
    widget.out_edit.setText(str(second))
    widget._movies = [folder / "a.ome.tif"]
    widget._show_movies()
    widget.run_button.click()
    wait_for(widget, timeout_s=300)
    for file in RESULTS:
        np.testing.assert_array_equal(
            open_stack(first / file).data, open_stack(second / "a" / file).data
        )
