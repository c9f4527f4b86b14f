"""Figures: what a picture on the disk shows."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog

from napari_virtualstain.errors import CancelledError, VirtualStainError
from napari_virtualstain.plugin.figure.dock import FigureWidget
from napari_virtualstain.plugin.figure.job import (
    FigureRequest,
    _tiff,
    figure_job,
    files_of,
    free_figure_path,
)
from napari_virtualstain.plugin.kit.jobs import JobContext

pytestmark = pytest.mark.gui
SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


@pytest.fixture(params=["dark", "light"])
def viewer(make_napari_viewer: Any, request: Any, qtbot: Any) -> Any:
    """Return a window with a grey ramp and a green bar that moves down, frame by frame."""
    made = make_napari_viewer(show=True)
    made.theme = request.param
    made.window._qt_window.setGeometry(0, 0, 1280, 720)
    grey = np.broadcast_to(np.linspace(0, 0.3, 100), (3, 80, 100))
    bar = np.zeros((3, 80, 100))
    for frame in range(3):
        bar[frame, 20 + 15 * frame : 30 + 15 * frame, 30:70] = 1
    made.add_image(np.array(grey), name="cell", contrast_limits=(0, 1), **SCALE)
    made.add_image(
        bar, name="stain", colormap="green", blending="additive", contrast_limits=(0, 1), **SCALE
    )
    made.dims.set_current_step(0, 1)
    qtbot.wait(50)
    return made


def _export(viewer: Any, qtbot: Any, wait_for: Any, path: Path, **boxes: bool) -> FigureWidget:
    widget = FigureWidget(viewer)
    qtbot.addWidget(widget)
    widget.path_edit.setText(str(path))
    widget.magnification.setValue(8)
    for name, checked in boxes.items():
        getattr(widget, name).setChecked(checked)
    widget.run_button.click()
    wait_for(widget)
    assert widget.state == "done", widget.status_label.text()
    return widget


def _green_rows(picture: np.ndarray) -> tuple[int, int]:
    """Return the first and last row of pixels in the middle that are clearly green."""
    middle = picture[:, picture.shape[1] // 2].astype(int)
    rows = np.flatnonzero(middle[:, 1] - middle[:, 0] > 120)
    return int(rows.min()), int(rows.max())


def test_one_press_writes_the_frame_with_scale_bar_time_and_names(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path
) -> None:
    bare = dict.fromkeys(("scale_bar", "time", "names"), False)
    made = _export(viewer, qtbot, wait_for, tmp_path / "bare.png", **bare)
    assert made.status_label.text() == f"Exported the figure to {tmp_path / 'bare.png'}."
    plain = imageio.imread(tmp_path / "bare.png")
    height, width = plain.shape[:2]
    assert (height, width) == pytest.approx((640, 800), abs=8)
    first, last = _green_rows(plain)
    assert (first / height, last / height) == pytest.approx((35 / 80, 45 / 80), abs=0.02)
    quarters = {
        "scale_bar": np.s_[height // 2 :, width // 2 :],
        "time": np.s_[: height // 4, width // 2 :],
    }
    quarters["names"] = np.s_[: height // 4, : width // 2]
    for name, quarter in quarters.items():
        path = tmp_path / f"{name}.png"
        _export(viewer, qtbot, wait_for, path, **{**bare, name: True})
        picture = imageio.imread(path)
        changed = (np.abs(picture.astype(int) - plain) > 60).any(axis=-1)
        assert changed[quarter].sum() > 100, name
        assert changed[quarter].sum() > 0.95 * changed.sum(), name
        said = picture[quarter][changed[quarter]].astype(int)
        if name == "names":  # the stain is named in its colour
            assert ((said[:, 1] > 150) & (said[:, 0] < 80)).sum() > 20
        else:
            assert (said.min(axis=1) > 200).sum() > 20


def test_each_frame_is_exported_and_the_window_is_as_before(
    viewer: Any, qtbot: Any, wait_for: Any, tmp_path: Path
) -> None:
    if viewer.theme == "light":
        pytest.skip("one theme is enough for this")
    bar = viewer.canvas.overlays.scale_bar
    widget = FigureWidget(viewer)
    qtbot.addWidget(widget)
    widget.frames.value = True
    widget.magnification.setValue(4)
    for path in (tmp_path / "film.tif", tmp_path / "film.png"):
        widget.path_edit.setText(str(path))
        widget.run_button.click()
        wait_for(widget)
        assert widget.state == "done", widget.status_label.text()
        assert widget.status_label.text().startswith("Exported 3 frames to")
    stack = tifffile.imread(tmp_path / "film.tif")
    files = sorted(tmp_path.glob("film_*.png"))
    assert [path.name for path in files] == ["film_0.png", "film_1.png", "film_2.png"]
    for frame, path in enumerate(files):
        np.testing.assert_array_equal(stack[frame], imageio.imread(path)[..., :3])
        first, _ = _green_rows(stack[frame])
        assert first / stack.shape[1] == pytest.approx((20 + 15 * frame) / 80, abs=0.02)
    assert viewer.dims.current_step[0] == 1
    assert not bar.visible
    assert not viewer.layers["cell"].name_overlay.visible


def test_no_figure_is_replaced_and_other_endings_are_refused(
    qtbot: Any, viewer: Any, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"mine")
    assert free_figure_path(path, (None,)).name == "figure-2.png"
    assert files_of(path, (0, 1))[0].name == "figure_0.png"
    widget = FigureWidget(viewer)
    qtbot.addWidget(widget)
    widget.path_edit.setText(str(tmp_path / "figure.jpg"))
    widget.run_button.click()
    wait_for(widget)
    assert "expected .png, .tif, .tiff" in widget.status_label.text()
    for layer in viewer.layers:
        layer.visible = False
    widget.path_edit.setText(str(path))
    assert "Nothing is shown" in widget.status_label.text()
    assert not widget.run_button.isEnabled()
    for layer in viewer.layers:
        layer.visible = True
    widget.path_edit.setText(" ")
    assert widget.status_label.text() == "Choose a file for the figure."
    widget.path_edit.setText(str(path))
    assert widget.status_label.text() == "Ready to export."
    answers = ["", str(tmp_path / "chosen.tif")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (answers.pop(0), ""))
    for name in ("figure.png", "chosen.tif"):
        widget._browse()
        assert widget.path_edit.text() == str(tmp_path / name)


def test_a_film_of_any_length_keeps_one_picture_in_memory(tmp_path: Path) -> None:
    """Of 500 frames of 2048 x 2048 pixels all would be 6 GB."""
    request = FigureRequest(tmp_path / "film.tif", tuple(range(5)))
    taken: list[weakref.ref[np.ndarray]] = []
    for take in figure_job(request, JobContext()):
        assert sum(picture() is not None for picture in taken) <= 1
        assert not request.path.exists()
        picture = np.full((8, 9, 3), take.frame, np.uint8)
        taken.append(weakref.ref(picture))
        request.pictures[take.frame] = picture
        del picture
    film = tifffile.imread(request.path)
    assert film.shape == (5, 8, 9, 3)
    assert film[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_film_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    context = JobContext()
    request = FigureRequest(tmp_path / "film.tif", (0, 1, 2))
    with pytest.raises(CancelledError):
        for take in figure_job(request, context):
            request.pictures[take.frame] = np.zeros((8, 9, 3), np.uint8)
            if take.frame == 1:
                context.cancel.cancel()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("figure.PNG", "napari took no picture"),
        ("film.TIFF", "napari took no picture"),
        ("figure", "cannot be written as a file without an ending: expected .png"),
        ("there.png", "exists already"),
    ],
)
def test_what_cannot_be_written_leaves_nothing_and_replaces_nothing(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "there.png").write_bytes(b"mine")
    with pytest.raises(VirtualStainError, match=said):
        list(figure_job(FigureRequest(tmp_path / name, (None,)), JobContext()))
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]
    assert (tmp_path / "there.png").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["figure.png", "film.tif"])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, name: str) -> None:
    request = FigureRequest(tmp_path / name, (None,))
    with pytest.raises(VirtualStainError, match="exists already"):
        for take in figure_job(request, JobContext()):
            request.path.write_bytes(b"of another program")
            request.pictures[take.frame] = np.zeros((8, 9, 3), np.uint8)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert request.path.read_bytes() == b"of another program"


@pytest.mark.parametrize(
    ("name", "frames", "names"),
    [
        ("a.png", (None,), ["a.png"]),
        ("a.png", (7,), ["a.png"]),
        ("a.PNG", (0, 9), ["a_0.PNG", "a_9.PNG"]),
        ("a.png", (0, 10), ["a_00.png", "a_10.png"]),
        ("a.tiff", (0, 10), ["a.tiff"]),
    ],
)
def test_several_png_files_are_numbered_in_one_width(
    name: str, frames: tuple[int | None, ...], names: list[str]
) -> None:
    assert [path.name for path in files_of(Path(name), frames)] == names


def test_a_free_name_has_none_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "film_1.png").write_bytes(b"mine")
    assert free_figure_path(tmp_path / "film.png", (0, 1)).name == "film-2.png"
    assert free_figure_path(tmp_path / "film.png", (0,)).name == "film.png"


@pytest.mark.parametrize(("frames", "is_big"), [(1420, False), (1421, True)])
def test_a_film_beyond_four_gigabytes_is_a_big_tiff(
    frames: int, is_big: bool, tmp_path: Path
) -> None:
    picture = np.zeros((1000, 1000, 3), np.uint8)
    with _tiff(tmp_path / "film.tif", frames * picture.nbytes) as pages:
        pages.write(picture, photometric="rgb", compression="zlib", metadata=None)
    with tifffile.TiffFile(tmp_path / "film.tif") as written:
        assert written.is_bigtiff is is_big
