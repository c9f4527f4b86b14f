"""The 25 recurring complaints of plugin users, each with the tests that look for it.

The list is that of a review of GitHub issues of comparable plugins. Where another test already
looks at what a person sees, it is named; the rest is tested here.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.stain import job as stain_work
from napari_virtualstain.plugin.stain.dock import StainWidget

TESTS = Path(__file__).parents[1]
SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
HERE, KIT, STAIN = "plugin/test_complaints.py", "plugin/kit", "plugin/stain/test_stain_dock.py"
COMPLAINTS = {
    1: ("the window freezes while computing", f"{HERE}::test_01_the_window_lives_while_staining"),
    2: (
        "threads are slow or switched off",
        f"{KIT}/test_jobs.py::test_the_work_gives_way_to_the_window",
        f"{KIT}/test_preferences.py::test_the_threads_of_the_preferences_reach_the_network",
    ),
    3: ("no progress is shown", f"{HERE}::test_03_progress_is_a_bar_and_a_count_of_frames"),
    4: ("no cancel", f"{STAIN}::test_cancelling_keeps_what_is_finished"),
    5: (
        "results lose their scale",
        "plugin/test_pipeline_gui.py::test_load_stain_segment_track",
        "plugin/layers/test_layers.py::test_a_new_layer_lies_exactly_on_its_source",
    ),
    6: (
        "regions are wrong where the scale is not 1",
        f"{KIT}/test_regions.py::test_shapes_in_micrometres_select_the_right_pixels",
        f"{STAIN}::test_a_region_has_the_values_and_the_place_of_the_whole",
    ),
    7: (
        "regions and the time axis",
        "plugin/train/test_train_regions.py::test_a_region_may_hold_for_its_own_frame_alone",
        f"{KIT}/test_regions.py::test_the_visible_frame_follows_scale_and_translation",
    ),
    8: (
        "the run button is off the screen",
        "plugin/test_window.py::"
        "test_with_all_docks_open_the_window_fits_a_laptop_and_each_button_can_be_pressed",
    ),
    9: (
        "drop-downs of layers are stale",
        f"{KIT}/test_step.py::test_layers_reach_the_drop_down_of_a_docked_widget",
    ),
    10: (
        "settings are not remembered",
        f"{KIT}/test_preferences.py::test_corrections_are_remembered_for_a_folder",
        "plugin/test_pipeline_gui.py::test_run_all_and_what_it_saved_repeats_headless",
    ),
    11: (
        "after a restart nothing is as it was",
        f"{HERE}::test_11_a_dock_that_is_opened_again_finds_the_results",
        "plugin/contributions/test_track_files.py::"
        "test_a_session_is_saved_and_gone_on_with_on_another_day",
    ),
    12: ("installing breaks Qt", "test_packaging.py::test_no_qt_binding_is_forced_on_anybody"),
    13: (
        "imports make the start slow",
        f"{HERE}::test_13_docks_are_made_without_what_only_their_work_needs",
        "test_packaging.py::test_importing_the_package_is_quick",
    ),
    14: (
        "the whole data set is read",
        f"{HERE}::test_14_staining_a_frame_reads_few_frames",
        "plugin/contributions/test_readers.py::test_display_limits_read_one_plane_only",
    ),
    15: (
        "training runs out of memory",
        "training/test_training.py::test_out_of_memory_is_an_error_that_a_worker_shows",
        f"{KIT}/test_step.py::test_out_of_memory_comes_with_advice",
    ),
    16: (
        "training goes on with NaN",
        "training/test_training.py::test_nan_stops_with_the_last_good_weights",
    ),
    17: (
        "a trained model cannot be found",
        f"{STAIN}::test_a_new_model_is_listed_without_a_restart",
        "plugin/train/test_train_run.py::test_a_training_is_drawn_judged_and_listed",
    ),
    18: (
        "tracks are slow and cannot be selected",
        "plugin/inspect/test_inspector.py::test_fifty_thousand_tracks_are_listed_and_sorted",
        "plugin/inspect/test_inspector_window.py::test_a_click_on_the_canvas_chooses_in_every_view",
    ),
    19: (
        "a table picks the wrong object",
        "plugin/segment/test_segment_dock.py::test_the_table_follows_time",
        "plugin/inspect/test_inspector.py::test_a_sorted_table_still_names_the_right_track",
    ),
    20: (
        "buttons are grey without a reason",
        f"{KIT}/test_step.py::test_a_disabled_button_says_why",
    ),
    21: (
        "errors say nothing",
        f"{KIT}/test_jobs.py::test_no_error_is_lost",
        f"{KIT}/test_step.py::test_an_expected_error_is_told_in_the_dock",
    ),
    22: (
        "the camera jumps",
        "plugin/inspect/test_inspector_window.py::"
        "test_the_camera_moves_only_where_the_target_is_out_of_view_or_on_double_click",
    ),
    23: (
        "keys conflict",
        "plugin/test_keyboard.py::test_each_letter_belongs_to_one_control_and_to_no_menu",
    ),
    24: ("new napari, broken plugin", "test_packaging.py::test_requirements_have_no_upper_caps"),
    25: (
        "a thread outlives the viewer",
        f"{KIT}/test_step.py::test_closing_the_viewer_mid_run_stops_the_thread",
        f"{KIT}/test_step.py::test_removing_the_dock_mid_run_stops_the_thread",
    ),
}


def test_each_complaint_has_a_test() -> None:
    assert list(COMPLAINTS) == list(range(1, 26))
    for number, (_, *places) in COMPLAINTS.items():
        assert places, number
        for place in places:
            file, _, name = place.partition("::")
            tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
            names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in names, (number, place)


@pytest.fixture
def stain(qtbot: Any, viewer_model: Any, tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the stain dock on six frames, each of which takes its time."""
    movie = np.random.default_rng(0).normal(100, 5, (6, 40, 48)).astype(np.float32)
    viewer_model.add_image(movie, name="cell bright-field", **SCALE)
    dock = StainWidget(viewer_model)
    qtbot.addWidget(dock)
    dock.model.value, dock.device.value = "tiny", "cpu"
    original = stain_work.PlaneStainer.stained

    def slowly(stainer: Any, places: Any) -> Any:
        for plane in original(stainer, places):
            time.sleep(0.15)
            yield plane

    monkeypatch.setattr(stain_work.PlaneStainer, "stained", slowly)
    return dock


def test_01_the_window_lives_while_staining(stain: Any, wait_for: Any) -> None:
    ticks: list[str] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(str(stain.state)))
    timer.start(10)
    stain.run_button.click()
    wait_for(stain)
    timer.stop()
    assert stain.state == "done", stain.status_label.text()
    # .9 s at least, in which a window that stands still would tick once or twice
    assert ticks.count("running") > 10


def test_03_progress_is_a_bar_and_a_count_of_frames(stain: Any, qtbot: Any, wait_for: Any) -> None:
    assert stain.bar.isHidden()
    seen: dict[str, int] = {}
    stain.runner.progressed.connect(
        lambda _: seen.update({stain.status_label.text(): stain.bar.value()})
    )
    stain.run_button.click()
    qtbot.waitUntil(lambda: any("staining: frame " in text for text in seen), timeout=30000)
    assert not stain.bar.isHidden()
    wait_for(stain)
    counted = {text: value for text, value in seen.items() if "/6" in text}
    assert len(counted) >= 2
    assert list(counted.values()) == sorted(set(counted.values()))  # it moves with each
    assert stain.bar.isHidden()
    assert stain.status_label.text().startswith("Stained 6 frames in ")


def test_11_a_dock_that_is_opened_again_finds_the_results(stain: Any, wait_for: Any) -> None:
    stain.run_button.click()
    wait_for(stain)
    for _ in range(2):
        again = SegmentWidget(stain.viewer)  # deletes itself when it is removed
        assert again.source.currentText() == "stained · cell bright-field [fluorescence]"
        assert again.run_button.isEnabled()
        again.tear_down()


def test_13_docks_are_made_without_what_only_their_work_needs() -> None:
    code = """
import sys
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
app = QApplication([])
viewer = ViewerModel()
from napari_virtualstain.plugin.stain.dock import StainWidget
from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.track.dock import TrackWidget
from napari_virtualstain.plugin.run_all.dock import RunAllWidget
from napari_virtualstain.plugin.run_all.many_dock import RunManyWidget
from napari_virtualstain.plugin.figure.dock import FigureWidget
for dock in (StainWidget, SegmentWidget, TrackWidget, RunAllWidget, RunManyWidget, FigureWidget):
    dock(viewer)
print(sorted({"torch", "dask.array", "zarr"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_14_staining_a_frame_reads_few_frames(stain: Any, wait_for: Any, viewer_model: Any) -> None:
    da = pytest.importorskip("dask.array")
    read: list[int] = []

    def frame(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info:
            read.append(block_info[0]["chunk-location"][0])
        return block

    movie = da.random.default_rng(0).normal(100, 5, (400, 40, 48), chunks=(1, 40, 48))
    lazy = movie.map_blocks(frame, dtype=float)
    viewer_model.layers.clear()
    viewer_model.add_image(lazy, name="long", contrast_limits=(80, 120), **SCALE)
    stain.fit_check.stop()
    stain.region.kind.value = "frame"
    stain.run_button.click()
    wait_for(stain)
    assert stain.state == "done", stain.status_label.text()
    # the frame itself, and those from which brightness and fit are judged
    assert len(set(read)) < 40
