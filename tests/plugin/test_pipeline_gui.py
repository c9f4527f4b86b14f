"""The daily path as a hand would take it: docks of the plugin menu, buttons, real threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from npe2 import PluginManifest
from qtpy.QtCore import Qt

import napari_virtualstain
from napari_virtualstain.errors import InputError
from napari_virtualstain.io import open_stack, write_image
from napari_virtualstain.pipeline import load_settings, process_movie
from napari_virtualstain.plugin.layers.description import provenance, unwrap
from napari_virtualstain.plugin.run_all.dock import RunAllWidget
from napari_virtualstain.plugin.run_all.layer_settings import recorded_settings
from napari_virtualstain.plugin.run_all.many_dock import result_layers
from napari_virtualstain.settings import PipelineSettings

pytestmark = pytest.mark.usefixtures("tiny_models")
MANIFEST = Path(napari_virtualstain.__file__).parent / "napari.yaml"
PLUGIN = "napari-virtualstain"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    from napari_virtualstain import simulate

    scene = simulate(frames=5, size=96, count=6, seed=3)
    path = tmp_path / "cell bright-field.ome.tif"
    write_image(
        path,
        scene.bright_field,
        axes="tyx",
        pixel_size_um=scene.pixel_size_um,
        frame_interval_s=scene.frame_interval_s,
    )
    return path


@pytest.mark.gui
@pytest.mark.parametrize("strict", ["0", "1"])
def test_load_stain_segment_track(
    make_napari_viewer: Any,
    npe2pm: Any,
    qtbot: Any,
    wait_for: Any,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    strict: str,
) -> None:
    monkeypatch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", strict)
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    viewer = make_napari_viewer(strict_qt=True)

    def press(display_name: str, prepare: Any = lambda widget: None) -> Any:
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, display_name)
        prepare(widget)
        assert widget.run_button.isEnabled(), widget.run_button.toolTip()
        qtbot.mouseClick(widget.run_button, Qt.MouseButton.LeftButton)
        wait_for(widget)
        assert widget.state == "done", widget.status_label.text()
        return widget

    def choose(kind: str) -> Any:
        def prepare(widget: Any) -> None:
            widget.model.value = kind
            widget.device.value = "cpu"

        return prepare

    widgets = [
        press("Load time-lapse", lambda widget: setattr(widget, "path", file)),
        press("Virtual staining", choose("tiny")),
        press("Segment mitochondria", choose("bright")),
        press("Track mitochondria"),
    ]
    source = viewer.layers["cell bright-field"]
    made = {
        "stained": "fluorescence",
        "segmented": "mitochondria",
        "tracked": "tracks",
        "tracked outlines": "tracked mitochondria",
    }
    for step, kind in made.items():
        layer = viewer.layers[f"{step} · cell bright-field [{kind}]"]
        np.testing.assert_allclose(layer.scale, source.scale)
        np.testing.assert_allclose(layer.translate, source.translate)
        assert [str(u) for u in layer.units] == [str(u) for u in source.units]
        assert tuple(layer.axis_labels) == ("t", "y", "x")
        assert layer.metadata["virtualstain"]["version"] == napari_virtualstain.__version__
    assert viewer.layers["stained · cell bright-field [fluorescence]"].data.dtype == np.float32
    assert viewer.layers["segmented · cell bright-field [mitochondria]"].data.max() > 0
    manager = viewer.window._task_status_manager
    qtbot.waitUntil(lambda: not manager.is_busy(), timeout=10000)
    for widget in widgets:
        viewer.window.remove_dock_widget(widget)
        with qtbot.waitSignal(widget.destroyed):
            widget.deleteLater()


def test_run_all_and_what_it_saved_repeats_headless(
    qtbot: Any, viewer_model: Any, wait_for: Any, file: Path, tmp_path: Path
) -> None:
    from napari_virtualstain.plugin.contributions.readers import read_time_lapse

    [(data, settings, _)] = read_time_lapse(str(file))
    viewer_model.add_image(data, **settings)
    widget = RunAllWidget(viewer_model)
    qtbot.addWidget(widget)
    widget.steps.generator.value, widget.steps.segmenter.value = "tiny", "bright"
    steps = widget.steps
    steps.segment["threshold"].value, steps.segment["split"].value = 0.6, "none"
    steps.segment["width_um"].value, steps.segment["average"].value = 1.0, True
    steps.stain["uncertainty"].value, steps.stain["average"].value = True, True
    steps.stain["temporal"].value, steps.track["max_gap"].value = 2, 2
    widget.run_button.click()
    wait_for(widget)
    assert widget.state == "done", widget.status_label.text()
    assert viewer_model.layers["expected error · cell bright-field [uncertainty]"].data.any()
    widget.save_settings(tmp_path / "settings.json")

    saved = load_settings(tmp_path / "settings.json")
    assert (saved.stain.model, saved.segment.model) == ("tiny", "bright")
    assert (saved.segment.width_um, saved.segment.average) == (1.0, True)
    assert (saved.stain.temporal, saved.stain.average, saved.stain.frames) == (2, True, None)
    stack = open_stack(
        file,
        pixel_size_um=saved.read.pixel_size_um,
        frame_interval_s=saved.read.frame_interval_s,
    )
    folder = process_movie(stack, tmp_path / "results", saved, device="cpu").folder
    labels = np.asarray(open_stack(folder / "labels.ome.tif").data)
    np.testing.assert_array_equal(
        viewer_model.layers["segmented · cell bright-field [mitochondria]"].data, labels
    )
    from napari_virtualstain.tracking import Tracks

    repeated = Tracks.from_csv(folder / "tracks.csv").table
    tracked = viewer_model.layers["tracked · cell bright-field [tracks]"]
    here = unwrap(tracked).metadata["tracks"].table
    np.testing.assert_allclose(repeated["track_id"], here["track_id"])
    np.testing.assert_allclose(repeated["y_um"], here["y_um"], atol=1e-6)
    np.testing.assert_allclose(repeated["trust"], here["trust"], atol=1e-3)
    assert here["trust"].between(0, 1).any()

    filled = steps.value
    steps.value = PipelineSettings()
    assert steps.value.segment.threshold == 0.5
    widget.load_settings(tmp_path / "settings.json")
    assert steps.value == filled


@pytest.mark.parametrize("z_plane", ["max", 1])
def test_run_all_takes_a_movie_of_z_stacks_and_the_command_gives_the_same(
    qtbot: Any, viewer_model: Any, wait_for: Any, tmp_path: Path, z_plane: Any
) -> None:
    from napari_virtualstain import simulate

    movie = np.stack(
        [simulate(frames=4, size=96, count=6, seed=seed).bright_field for seed in (3, 4)], axis=1
    )
    viewer_model.add_image(
        movie,
        name="cell",
        scale=(2, 0.5, 0.08, 0.08),
        units=("s", "um", "um", "um"),
        axis_labels=("t", "z", "y", "x"),
    )
    widget = RunAllWidget(viewer_model)
    qtbot.addWidget(widget)
    widget.steps.generator.value, widget.steps.segmenter.value = "tiny", "bright"
    widget.steps.segment["threshold"].value = 0.6
    box = widget.steps.track["z_plane"].native
    assert not box.isHidden()
    assert box.text() == "maximum over z"
    if z_plane != "max":
        box.setValue(z_plane)
    widget.run_button.click()
    wait_for(widget)
    assert widget.state == "done", widget.status_label.text()
    assert "track" in widget.status_label.text()
    tracks = unwrap(viewer_model.layers["tracked · cell [tracks]"])
    assert tracks.ndim == 4
    assert set(tracks.data[:, 2]) == {0.5 if z_plane == "max" else 1.0}
    widget.save_settings(tmp_path / "settings.json")
    saved = load_settings(tmp_path / "settings.json")
    assert saved.track.z_plane == z_plane

    file = write_image(
        tmp_path / "cell.ome.tif",
        movie,
        axes="tzyx",
        pixel_size_um=0.08,
        frame_interval_s=2.0,
        z_step_um=0.5,
    )
    folder = process_movie(open_stack(file), tmp_path / "results", saved, device="cpu").folder
    labels = open_stack(folder / "labels.ome.tif")
    assert (labels.axes, labels.z_step_um) == ("tzyx", 0.5)
    np.testing.assert_array_equal(
        viewer_model.layers["segmented · cell [mitochondria]"].data, np.asarray(labels.data)
    )
    from napari_virtualstain.tracking import Tracks

    repeated = Tracks.from_csv(folder / "tracks.csv").table
    here = tracks.metadata["tracks"].table
    assert len(here) > 4
    np.testing.assert_array_equal(repeated["track_id"], here["track_id"])
    np.testing.assert_allclose(repeated["y_um"], here["y_um"], atol=1e-6)
    measures = pd.read_csv(folder / "measures.csv")
    seen = here[~here["interpolated"]]
    assert set(zip(seen["track_id"], seen["frame"], strict=True)) <= set(
        zip(measures["track_id"], measures["frame"], strict=True)
    )
    # the results open in the window as Run all has shown them
    for layer in result_layers(folder)[1:]:
        kind = "segmented" if layer.ndim == 4 and "mitochondria" in layer.name else "tracked"
        ours = next(one for one in viewer_model.layers if one.name.startswith(f"{kind} ·"))
        np.testing.assert_allclose(np.asarray(layer.data), np.asarray(ours.data), atol=1e-5)
        np.testing.assert_allclose(layer.scale, ours.scale)


def test_no_plane_is_asked_for_where_there_are_none(qtbot: Any, viewer_model: Any) -> None:
    viewer_model.add_image(np.zeros((3, 32, 32)), name="cell", axis_labels=("t", "y", "x"))
    widget = RunAllWidget(viewer_model)
    qtbot.addWidget(widget)
    assert widget.steps.track["z_plane"].native.isHidden()


@pytest.mark.parametrize(
    ("offset", "shape", "frames"),
    [((0, 0, 0), (6, 32, 40), None), ((2, 0, 0), (3, 32, 40), "2:5")],
)
def test_the_frames_that_were_stained_are_recorded(
    viewer_model: Any, offset: tuple[int, ...], shape: tuple[int, ...], frames: str | None
) -> None:
    source = _stained_in_part(viewer_model, offset, shape)
    assert recorded_settings(viewer_model, source).stain.frames == frames


def test_a_box_that_was_stained_cannot_be_recorded(viewer_model: Any) -> None:
    source = _stained_in_part(viewer_model, (0, 0, 8), (6, 32, 16))
    with pytest.raises(InputError, match="part of each frame"):
        recorded_settings(viewer_model, source)


def _stained_in_part(viewer: Any, offset: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    source = viewer.add_image(np.zeros((6, 32, 40)), name="cell", axis_labels=("t", "y", "x"))
    settings = {"model": "mito-h9c2", "offset": offset, "shape": shape}
    made = provenance("stain", "cell", settings=settings)
    viewer.add_image(np.zeros(shape), name="cell [fluorescence]", metadata=made)
    return source


def test_saving_before_anything_was_done_says_what_to_do(
    qtbot: Any, viewer_model: Any, tmp_path: Path
) -> None:
    viewer_model.add_image(np.zeros((3, 32, 32)), name="cell", axis_labels=("t", "y", "x"))
    widget = RunAllWidget(viewer_model)
    qtbot.addWidget(widget)
    widget._try(widget.save_settings, str(tmp_path / "settings.json"))
    assert "Nothing was stained" in widget.status_label.text()
    assert not (tmp_path / "settings.json").exists()
