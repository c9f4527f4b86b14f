"""Settings: one class a step, and what front ends show of it."""

from __future__ import annotations

from typing import Any

import pytest

from napari_virtualstain.errors import InputError
from napari_virtualstain.settings import (
    MotionTuning,
    PairSettings,
    PipelineSettings,
    ReadSettings,
    SegmenterTraining,
    SegmentSettings,
    Settings,
    StainSettings,
    TrackSettings,
    TrackTuning,
    TrainSettings,
    checked_settings,
    fields_of,
    settings_beside,
)

TUNING = [type(info.default) for info in TrackTuning.model_fields.values() if info.description]
CLASSES = [ReadSettings, StainSettings, SegmentSettings, TrackSettings, TrackTuning]
CLASSES += [TrainSettings, PairSettings, SegmenterTraining]
CLASSES += [kind for kind in TUNING if issubclass(kind, Settings)]


@pytest.mark.parametrize("settings", CLASSES)
def test_every_field_says_what_it_is(settings) -> None:
    for name, field in fields_of(settings).items():
        assert field.name == name
        assert field.title
        assert field.description.endswith("."), name
        if name.endswith(("_um", "_um2", "_s")):
            assert field.unit in ("µm", "µm²", "s")


def test_a_number_has_limits_and_a_unit() -> None:
    area = fields_of(SegmentSettings)["min_area_um2"]
    assert (area.kind, area.minimum, area.maximum, area.is_open) == (float, 0, None, False)
    assert area.label == "Smallest (µm²)"
    assert area.help == "Objects below this area are removed, in µm² [0.05]."
    assert area.widget["min"] == 0
    threshold = fields_of(SegmentSettings)["threshold"]
    assert (threshold.minimum, threshold.maximum) == (0, 1)
    assert fields_of(TrackSettings)["search_radius_um"].is_open


def test_choices_are_values_with_labels() -> None:
    split = fields_of(SegmentSettings)["split"]
    assert list(split.choices) == ["skeleton", "log", "none"]
    assert ("at blobs (LoG)", "log") in split.widget["choices"]
    assert "auto" in fields_of(StainSettings)["precision"].choices


def test_what_nothing_means_is_said() -> None:
    fields = fields_of(StainSettings)
    assert fields["average"].none == "as the model says"
    assert fields["average"].kind is bool
    assert fields["average"].help.endswith("[as the model says].")
    assert fields_of(TrackSettings)["min_length"].kind is int
    assert fields_of(TrackSettings)["fill_gaps"].help.endswith("[on].")


def test_a_number_may_also_be_a_word() -> None:
    plane = fields_of(TrackSettings)["z_plane"]
    assert (plane.kind, plane.word, plane.value_of_none) == (int, "max", -1)
    assert plane.help.endswith("the maximum over all planes [max].")


def test_a_form_may_show_a_number_in_another_unit() -> None:
    emission = fields_of(TrainSettings)["wavelength_um"]
    assert emission.help == "Emission wavelength of the fluorescence, in µm [0.608]."
    shown = emission.widget
    assert (shown["min"], shown["max"], shown["step"]) == (50, 5000, 10)
    assert emission.display.unit == "nm"
    assert fields_of(TrainSettings)["crop_size"].display.unit == "px"


def test_magicgui_makes_a_form_of_each_class() -> None:
    widgets = pytest.importorskip("magicgui.widgets")
    pytest.importorskip("qtpy")
    for settings in (SegmentSettings, TrackSettings):
        for field in fields_of(settings).values():
            made = widgets.create_widget(annotation=Any, options=field.widget)
            if field.default not in (None, field.word) and field.name != "tuning":
                made.value = field.default
                assert made.value == field.default, field.name
            assert made.tooltip == field.description


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": 1.2}, "threshold = 1.2: input should be less than or equal to 1"),
        ({"width_um": 0}, "width_um = 0: input should be greater than 0"),
        ({"min_area_um2": float("inf")}, "min_area_um2 = inf"),
        ({"split": "watershed"}, "'skeleton', 'log' or 'none'"),
        ({"treshold": 0.5}, "treshold is no setting"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given, message) -> None:
    with pytest.raises(InputError, match=message):
        checked_settings(SegmentSettings, **given)


def test_a_keyword_must_not_contradict_the_settings_beside_it() -> None:
    config = TrackSettings(max_gap=5)
    assert settings_beside(config, max_gap=3, mode="extended") is config
    assert settings_beside(config, max_gap=5) is config
    with pytest.raises(InputError, match="max_gap=9 was given beside config, which says max_gap=5"):
        settings_beside(config, max_gap=9)


def test_settings_survive_a_file() -> None:
    settings = PipelineSettings(stain=StainSettings(temporal=3), track=TrackSettings(max_gap=1))
    assert PipelineSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("persistence", "variance", "is_taken"),
    [
        (1.0, 0.1, True),
        (1.01, 0.1, False),
        (-0.99, 1e-9, True),
        (-1.0, 0.1, False),
        (0.5, 0, False),
    ],
)
def test_a_motion_keeps_at_most_all_of_a_step(
    persistence: float, variance: float, is_taken: bool
) -> None:
    motions = ((0.0, 1.0, 1.0), (0.5, 1.0, 1.0), (persistence, variance, 1.0))
    if is_taken:
        assert checked_settings(MotionTuning, motions=motions).motions == motions
    else:
        with pytest.raises(InputError, match="persistences over -1 and up to 1, and variances ove"):
            checked_settings(MotionTuning, motions=motions)


@pytest.mark.parametrize(
    ("z_plane", "taken"),
    [(0, 0), ("0", 0), ("7", 7), ("max", "max"), (-1, None), (1.5, None), ("min", None)],
)
def test_planes_are_counted_from_0(z_plane: Any, taken: Any) -> None:
    if taken is not None:
        assert checked_settings(TrackSettings, z_plane=z_plane).z_plane == taken
    else:
        with pytest.raises(InputError, match="expected max, or the number of a plane"):
            checked_settings(TrackSettings, z_plane=z_plane)
