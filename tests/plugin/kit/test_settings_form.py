"""Forms that magicgui makes of settings classes: what stands in them, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QLabel, QLineEdit, QWidget

from napari_virtualstain.plugin.kit.controls import new_form
from napari_virtualstain.plugin.kit.settings_form import SettingsForm
from napari_virtualstain.settings import (
    ReadSettings,
    SegmentSettings,
    StainSettings,
    TrackSettings,
    TrainSettings,
    fields_of,
)

CHOICES = {"linker": [("kalman", "kalman"), ("trackpy", "trackpy")]}


@pytest.fixture
def body(qtbot: Any) -> QWidget:
    made = QWidget()
    made.setLayout(new_form())
    qtbot.addWidget(made)
    return made


def _form(body: QWidget, settings: Any) -> SettingsForm:
    return SettingsForm(settings, body.layout(), body.layout(), choices=CHOICES)


@pytest.mark.parametrize(
    "changed",
    [
        ReadSettings(channel="BF", pixel_size_um=0.065, frame_interval_s=2.5),
        StainSettings(model="mito-h9c2", frames="0:3", average=False, temporal=2),
        StainSettings(uncertainty=True, precision="float32"),
        SegmentSettings(threshold=0.62, min_area_um2=0.125, split="log", width_um=0.8),
        TrackSettings(mode="paper", linker="trackpy", max_gap=1, min_length=1, fill_gaps=False),
        TrackSettings(search_radius_um=0.4, gate_probability=0.9, z_plane="max"),
        TrackSettings(z_plane=0),
        TrackSettings(z_plane=7),
        TrainSettings(wavelength_um=0.52, min_foreground=0.14, minutes=2.5, steps=40),
        TrainSettings(immersion_index=1.333, depth_um=3.5, correct_registration=True),
    ],
)
def test_what_is_shown_is_what_was_given(body: QWidget, changed: Any) -> None:
    form = _form(body, type(changed))
    assert form.value == type(changed)()
    form.value = changed
    assert form.value == changed
    assert {type(getattr(form.value, name)) for name in form.widgets} == {
        type(getattr(changed, name)) for name in form.widgets
    }


def test_labels_units_and_meanings_come_from_the_class(body: QWidget) -> None:
    form = _form(body, TrackSettings)
    texts = [label.text() for label in body.findChildren(QLabel)]
    for name, field in fields_of(TrackSettings).items():
        assert (name in form.widgets) == bool(field.place), name
        if name in form.widgets and field.kind is not bool:
            assert field.title in texts
    assert form["search_radius_um"].native.text() == "as in this movie"
    form["search_radius_um"].value = 0.4
    assert form["search_radius_um"].native.text() == "0.40 µm"
    assert form["max_gap"].native.text() == "3 frames"
    assert form["max_gap"].native.toolTip() == fields_of(TrackSettings)["max_gap"].description


def test_only_named_changes_are_announced(body: QWidget) -> None:
    form, seen = _form(body, SegmentSettings), []
    form.on_change(lambda: seen.append(form.value.threshold), "threshold")
    form["width_um"].value = 1.0
    form["threshold"].value = 0.7
    assert seen == [0.7]


@pytest.mark.parametrize("name", ["min_area_um2", "split", "threshold"])
def test_a_passing_wheel_changes_nothing(body: QWidget, qtbot: Any, name: str) -> None:
    form = _form(body, SegmentSettings)
    with qtbot.waitExposed(body):
        body.show()
    before = form.value
    native = form[name].native
    for part in (native, *native.findChildren(QWidget)):
        turned = QWheelEvent(
            QPointF(2, 2),
            QPointF(part.mapToGlobal(QPoint(2, 2))),
            QPoint(0, 0),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        if not part.hasFocus():
            QApplication.sendEvent(part, turned)
    assert form.value == before


def test_what_an_add_on_ignores_is_grey_and_says_why(body: QWidget) -> None:
    form = _form(body, SegmentSettings)
    form.offer(False, "Of no use <b>here</b>")
    assert not form["threshold"].native.isEnabled()
    assert "&lt;b&gt;here" in form["threshold"].native.toolTip()
    form.offer(True, "")
    assert form["threshold"].native.isEnabled()


def test_rare_settings_are_folded_away_unless_the_dock_wants_them_in_sight(qtbot: Any) -> None:
    body, folded = QWidget(), QWidget()
    for part in (body, folded):
        part.setLayout(new_form())
        qtbot.addWidget(part)
    fields = fields_of(StainSettings)
    rare = [name for name, field in fields.items() if field.place == "advanced"]
    usual = [name for name, field in fields.items() if field.place not in ("", "advanced")]
    assert len(rare) > 1
    form = SettingsForm(
        StainSettings,
        body.layout(),
        folded.layout(),
        in_sight=rare[:1],
        names=[*usual, *rare],
        start={rare[0]: fields[rare[0]].default},
    )
    seen = {name for name in form.widgets if body.isAncestorOf(form[name].native)}
    assert seen == {*usual, rare[0]}
    assert {name for name in form.widgets if folded.isAncestorOf(form[name].native)} == {*rare[1:]}
    only = SettingsForm(SegmentSettings, body.layout(), names=["threshold"])
    assert list(only.widgets) == ["threshold"]
    changed: list[int] = []
    only.on_change(lambda: changed.append(1))
    only["threshold"].value = 0.25
    assert changed == [1]
    # what has no row here is kept as it was given
    only.value = SegmentSettings(threshold=0.5, width_um=0.8)
    assert only.value == SegmentSettings(threshold=0.5, width_um=0.8)


def test_a_row_is_hidden_with_its_label_and_what_is_not_offered_says_why(body: QWidget) -> None:
    form = _form(body, TrackSettings)
    body.show()
    label = next(one for one in body.findChildren(QLabel) if one.buddy() is form["max_gap"].native)
    for shown in (False, True):
        form.show_row("max_gap", shown)
        assert form["max_gap"].native.isVisible() == label.isVisible() == shown
    form.offer(False, "Of no use", ["max_gap"])
    assert not form["max_gap"].native.isEnabled()
    assert form["max_gap"].native.toolTip() == "Of no use"
    assert form["min_length"].native.isEnabled()
    form.offer(True, "Of no use", ["max_gap"])
    assert form["max_gap"].native.toolTip() != "Of no use"
    body.hide()


@pytest.mark.parametrize(
    "settings", [SegmentSettings, StainSettings, TrackSettings, TrainSettings, ReadSettings]
)
def test_each_number_shows_its_unit_or_what_none_means(body: QWidget, settings: Any) -> None:
    form = _form(body, settings)
    looked_at = 0
    for name, field in fields_of(settings).items():
        native = form.widgets[name].native if name in form.widgets else None
        if isinstance(native, QAbstractSpinBox):
            looked_at += 1
            text = native.text()
            if field.default is None:
                assert text == (field.none or field.display.lowest), name
            elif native.value() != native.minimum():
                assert text.endswith(field.display.unit), name
                shown = float(text.removesuffix(field.display.unit).replace(",", ""))
                assert shown == pytest.approx(field.default * field.display.factor), name
                assert ("." in text.split()[0]) == (native.decimals() > 0), name
            assert native.accessibleName() == field.title
            assert native.focusPolicy() == Qt.FocusPolicy.StrongFocus
        elif isinstance(native, QLineEdit):
            looked_at += 1
            assert native.placeholderText() == field.none
    assert looked_at
