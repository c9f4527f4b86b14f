"""What the stain dock shows of results as they come, and its light and preview beside them."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_virtualstain import staining
from napari_virtualstain.errors import CancelledError, InputError
from napari_virtualstain.plugin.kit.jobs import Outcome
from napari_virtualstain.plugin.segment.dock import SegmentWidget
from napari_virtualstain.plugin.stain import fit_check, preview
from napari_virtualstain.plugin.stain.dock import StainWidget
from napari_virtualstain.plugin.stain.fit_check import FitCheck
from napari_virtualstain.plugin.stain.job import FitChecked, PlanesDone, Started
from napari_virtualstain.plugin.track.dock import TrackWidget

from ..models import save_generator

SCALE = {"scale": (2.0, 0.08, 0.08), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
STAIN, ERROR = "stained · cell [fluorescence]", "expected error · cell [uncertainty]"


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIRTUALSTAIN_MODELS", str(tmp_path / "models"))
    return save_generator(tmp_path / "models" / "tiny.safetensors", pixel_size_um=0.12)


@pytest.fixture
def widget(qtbot: Any, viewer_model: Any) -> StainWidget:
    movie = np.random.default_rng(0).integers(100, 200, (4, 32, 40)).astype(np.uint16)
    viewer_model.add_image(movie, name="cell", **SCALE)
    made = StainWidget(viewer_model)
    qtbot.addWidget(made)
    made.model.value, made.device.value = "tiny", "cpu"
    return made


@pytest.fixture
def begun(widget: StainWidget, monkeypatch: pytest.MonkeyPatch) -> StainWidget:
    """Return a dock whose run has begun, and whose results are handed over by the test."""
    monkeypatch.setattr(widget.runner, "start", lambda *_: None)
    widget.run_button.click()
    return widget


def _started(kind: str = "fluorescence") -> Started:
    return Started(kind, np.ones((4, 32, 40), np.float32), (0.0, 2.0), "tiny", "")


def _names(widget: StainWidget) -> list[str]:
    return [layer.name for layer in widget.viewer.layers]


@pytest.mark.parametrize(
    ("done", "name"),
    [
        (0, f"{STAIN} (1 of 4 frames)"),  # the visible frame is there when the layer is
        (1, f"{STAIN} (1 of 4 frames)"),
        (3, f"{STAIN} (3 of 4 frames)"),
        (4, STAIN),
    ],
)
def test_what_a_cancel_leaves_says_how_much_is_finished(
    begun: StainWidget, done: int, name: str
) -> None:
    begun.on_items([_started(), *(PlanesDone(((frame,),)) for frame in range(done))])
    begun.on_end(Outcome(error=CancelledError("cancelled")))
    assert _names(begun) == ["cell", name]


def test_a_finished_stain_is_not_marked(begun: StainWidget) -> None:
    plain = begun.viewer.layers["cell"].colormap.name
    begun.on_items([_started()])
    # below a stain the bright-field is darker, or both would glare
    assert begun.viewer.layers["cell"].colormap.name != plain
    begun.on_end(Outcome(value=None))
    assert _names(begun) == ["cell", STAIN]
    begun.on_items([_started()])  # nothing comes after the end
    assert _names(begun) == ["cell", STAIN]


def test_the_error_of_a_stain_that_was_deleted_is_not_added(begun: StainWidget) -> None:
    begun.on_items([_started()])
    begun.on_items([_started("uncertainty")])
    assert _names(begun) == ["cell", STAIN, ERROR]
    for name in (STAIN, ERROR):
        begun.viewer.layers.remove(name)
    begun.on_items([_started("uncertainty")])
    assert _names(begun) == ["cell"]
    assert begun.on_result(None) == "Stained cell."


@pytest.mark.parametrize(
    ("level", "end"),
    [
        (None, "."),
        ("green", ": the model fits."),
        ("amber", ". The model may not fit this movie: see above."),
    ],
)
def test_the_last_sentence_says_whether_the_model_fits(
    begun: StainWidget, level: str | None, end: str
) -> None:
    begun.on_items([_started()])
    if level is not None:
        begun.on_items([FitChecked(level, ())])
        assert begun.fit_note.textFormat() == Qt.TextFormat.RichText  # its mark has a colour
    said = begun.on_result(None)
    assert said.startswith("Stained 4 frames in ")
    assert said.endswith(f" s{end}")


def test_the_canvas_is_drawn_when_the_visible_frame_is_finished(
    begun: StainWidget, qtbot: Any
) -> None:
    begun.viewer.dims.set_point(0, 2.0 * 2)
    begun.on_items([_started()])
    layer, drawn = begun.viewer.layers[STAIN], []
    qtbot.waitUntil(lambda: bool(layer.visible), timeout=2000)
    layer.events.set_data.connect(lambda _event: drawn.append(True))
    begun.on_items([PlanesDone(((0,), (1,))), PlanesDone(((3,),))])
    assert drawn == []
    begun.on_items([PlanesDone(((1,),)), PlanesDone(((2,),))])
    assert drawn == [True]


def test_what_a_layer_does_not_state_is_asked_for_where_it_is_needed(
    qtbot: Any, viewer_model: Any
) -> None:
    viewer_model.add_image(np.zeros((3, 32, 32)), name="plain", axis_labels=("t", "y", "x"))
    labels = np.zeros((3, 32, 32), int)
    viewer_model.add_labels(labels, name="outlines", axis_labels=("t", "y", "x"))
    docks = [made(viewer_model) for made in (StainWidget, SegmentWidget, TrackWidget)]
    for dock in docks:
        qtbot.addWidget(dock)
    assert [dock.sampling.interval.isHidden() for dock in docks] == [True, True, False]
    stain = docks[0]
    stain.source.value = viewer_model.layers["plain"]
    assert not stain.pixel_size.isHidden()
    stain.pixel_size.setValue(0.5)
    other = np.zeros((3, 32, 32))
    stain.source.value = viewer_model.add_image(other, name="another", axis_labels=("t", "y", "x"))
    # that of the model, until the user knows better
    assert stain.pixel_size.value() == stain.model.card.pixel_size_um
    assert stain.true_layer.itemText(0) == "none"


def test_the_next_step_is_started_where_its_button_says_so() -> None:
    steps = {dock: dock.next_step for dock in (StainWidget, SegmentWidget, TrackWidget)}
    runs = {dock.tab_title: "run it on this result" in step.tooltip for dock, step in steps.items()}
    assert runs == {"Stain": True, "Segment": True, "Track": False}


def test_a_preview_needs_a_movie_and_a_model(qtbot: Any, viewer_model: Any) -> None:
    dock = StainWidget(viewer_model)
    qtbot.addWidget(dock)
    assert dock.source.currentText() == "load a bright-field movie"
    dock.preview_box.click()
    assert len(viewer_model.layers) == 0
    dock.preview_box.click()
    dock.compare.slider.setValue(50)
    assert len(viewer_model.layers) == 0


def _preview_of(widget: StainWidget, name: str = "cell") -> Any:
    wanted = f"preview · {name} [preview]"
    return next((layer for layer in widget.viewer.layers if layer.name == wanted), None)


def test_a_preview_of_another_movie_hides_the_first(widget: StainWidget, qtbot: Any) -> None:
    other = {**SCALE, "translate": (0, 5, 7)}
    dish = widget.viewer.add_image(np.ones((4, 20, 24), np.float32), name="dish", **other)
    widget.source.value = widget.viewer.layers["cell"]
    widget.model.value = "tiny"
    widget.preview_box.click()
    qtbot.waitUntil(lambda: getattr(_preview_of(widget), "visible", False), timeout=20000)
    first = _preview_of(widget)
    assert first.metadata["virtualstain"]["step"] == "preview"
    widget.source.value = dish
    widget.model.value = "tiny"
    qtbot.waitUntil(lambda: getattr(_preview_of(widget, "dish"), "visible", False), timeout=20000)
    assert not first.visible
    assert _preview_of(widget, "dish").data.shape == (20, 24)
    np.testing.assert_allclose(_preview_of(widget, "dish").translate, (5, 7))
    count = len(widget.viewer.layers)
    widget.source.value = widget.viewer.layers["cell"]
    widget.model.value = "tiny"
    qtbot.waitUntil(lambda: bool(first.visible), timeout=20000)
    assert len(widget.viewer.layers) == count  # the layers of before are used again
    assert not _preview_of(widget, "dish").visible


def test_a_preview_that_was_hidden_or_deleted_comes_back_with_the_next_frame(
    widget: StainWidget, qtbot: Any
) -> None:
    layers, dims = widget.viewer.layers, widget.viewer.dims
    dims.set_point(0, 0.0)
    chosen = layers.selection.active
    widget.preview_box.click()
    qtbot.waitUntil(lambda: getattr(_preview_of(widget), "visible", False), timeout=20000)
    assert layers.selection.active is chosen
    _preview_of(widget).visible = False
    dims.set_point(0, 2.0)
    qtbot.waitUntil(lambda: bool(_preview_of(widget).visible), timeout=20000)
    layers.remove(_preview_of(widget))
    dims.set_point(0, 4.0)
    qtbot.waitUntil(lambda: getattr(_preview_of(widget), "visible", False), timeout=20000)
    _preview_of(widget).visible = False
    widget.preview_box.click()
    dims.set_point(0, 0.0)
    qtbot.wait(150)
    assert not _preview_of(widget).visible  # it has ended


def test_a_stain_hidden_by_the_preview_stays_hidden_where_the_preview_was_hidden(
    widget: StainWidget, qtbot: Any
) -> None:
    made = {"virtualstain": {"step": "stain", "source": "cell", "kind": "fluorescence"}}
    stain = widget.viewer.add_image(np.ones((4, 32, 40)), name=STAIN, metadata=made, **SCALE)
    for is_seen in (True, False):
        stain.visible = True
        widget.preview_box.click()
        qtbot.waitUntil(lambda: getattr(_preview_of(widget), "visible", False), timeout=20000)
        assert not stain.visible
        _preview_of(widget).visible = is_seen
        widget.preview_box.click()
        assert stain.visible == is_seen


def test_a_preview_that_fails_says_why(
    widget: StainWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_request: Any) -> Any:
        raise InputError("The weights are torn.")

    assert widget.status_label.text() == "Ready to stain."
    monkeypatch.setattr(preview, "PlaneStainer", broken)
    widget.preview_box.click()
    qtbot.waitUntil(lambda: widget.status_label.text() == "The weights are torn.", timeout=20000)
    assert _preview_of(widget) is None
    monkeypatch.undo()


def test_a_new_setting_is_previewed_with_a_new_network_and_a_known_frame_without(
    widget: StainWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, stained = [], []
    original = preview.PlaneStainer

    def counted(request: Any) -> Any:
        made = original(request)
        stain = made.stain
        made.stain = lambda places: stained.append(places) or stain(places)
        loaded.append(request)
        return made

    monkeypatch.setattr(preview, "PlaneStainer", counted)
    widget.viewer.dims.set_point(0, 0.0)
    widget.preview_box.click()
    qtbot.waitUntil(lambda: _preview_of(widget) is not None, timeout=20000)
    first = np.array(_preview_of(widget).data)
    for frame in (1, 0):
        widget.viewer.dims.set_point(0, 2.0 * frame)
        moved = frame == 1
        qtbot.waitUntil(
            lambda moved=moved: bool((_preview_of(widget).data != first).any()) == moved,
            timeout=20000,
        )
    assert stained == [[(0,)], [(1,)]]
    assert len(loaded) == 1
    widget.settings["average"].value = True
    qtbot.waitUntil(lambda: bool((_preview_of(widget).data != first).any()), timeout=20000)
    assert len(loaded) == 2
    assert loaded[-1].settings.average


@pytest.fixture
def light(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> FitCheck:
    """Return a light on a label of its own that looks without a pause."""
    monkeypatch.setattr(fit_check, "_SETTLE_MS", 0)
    text = QLabel()
    qtbot.addWidget(text)
    text.setVisible(False)
    return FitCheck(text)


def _judges(monkeypatch: pytest.MonkeyPatch, judge: Any) -> None:
    monkeypatch.setattr(staining, "assess_fit", lambda data, *_, **__: judge(data))


def test_the_light_is_that_of_the_movie_that_is_chosen_now(
    light: FitCheck, viewer_model: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, looked = threading.Event(), []

    def judge(data: Any) -> Any:
        looked.append(float(data.max()))
        if looked == [1.0]:
            go_on.wait(20)
        return SimpleNamespace(level="red" if data.max() == 1 else "green", reasons=[])

    _judges(monkeypatch, judge)
    first, second = (viewer_model.add_image(np.full((3, 4, 4), value)) for value in (1.0, 2.0))
    light.follow(first, "tiny", 0.08)
    qtbot.waitUntil(lambda: looked == [1.0], timeout=20000)
    light.follow(second, "tiny", 0.08)
    qtbot.wait(50)
    go_on.set()
    qtbot.waitUntil(lambda: "fits this movie" in light._text.text(), timeout=20000)
    assert looked == [1.0, 2.0]
    light.follow(second, "tiny", 0.08)
    assert "fits this movie" in light._text.text()  # nothing has changed
    light.follow(second, "tiny", 0.09)
    assert "Checking" in light._text.text()
    qtbot.waitUntil(lambda: looked == [1.0, 2.0, 2.0], timeout=20000)
    light.stop()


@pytest.mark.parametrize("model", [None, "addon:theirs", "tiny"])
def test_without_a_movie_or_a_model_of_ours_there_is_no_light(
    light: FitCheck,
    viewer_model: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
    model: str | None,
) -> None:
    looked: list[Any] = []
    _judges(monkeypatch, looked.append)
    layer = viewer_model.add_image(np.zeros((3, 4, 4)))
    light.follow(layer, "tiny", 0.08)
    assert not light._text.isHidden()
    light.follow(None if model == "tiny" else layer, model, 0.08)
    assert light._text.isHidden()
    qtbot.wait(50)
    assert looked == []


def test_a_check_that_fails_leaves_no_light(
    light: FitCheck, viewer_model: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(_data: Any) -> Any:
        raise InputError("unreadable")

    _judges(monkeypatch, judge)
    light.follow(viewer_model.add_image(np.zeros((3, 4, 4))), "tiny", 0.08)
    assert not light._text.isHidden()
    qtbot.waitUntil(light._text.isHidden, timeout=20000)
