"""Form rows of all three steps, and their settings as one value."""

from __future__ import annotations

from qtpy.QtWidgets import QFormLayout, QLabel

from ...hooks import add_on_name
from ...settings import (
    PipelineSettings,
    ReadSettings,
    SegmentSettings,
    StainSettings,
    TrackSettings,
)
from ..kit.model_choice import ModelChoice
from ..kit.settings_form import SettingsForm
from ..track.dock import linkers

_ADD_ON = "The chosen add-on has no such setting"


class PipelineForm:
    """Rows for the models and settings of staining, segmentation and tracking.

    Parameters
    ----------
    form, advanced : QFormLayout
        Receive the rows that are always in sight, and those that are folded away.
    """

    def __init__(self, form: QFormLayout, advanced: QFormLayout) -> None:
        self.generator = ModelChoice("generator", form, text="Generator", brief=True)
        self.segmenter = ModelChoice("segmenter", form, text="Segmenter", brief=True)
        for choice in (self.generator, self.segmenter):
            choice.combo.setObjectName(choice.kind)
        _head(advanced, "Staining")
        self.stain = SettingsForm(StainSettings, advanced, advanced)
        _head(advanced, "Segmentation")
        self.segment = SettingsForm(SegmentSettings, form, advanced)
        _head(advanced, "Tracking")
        self.track = SettingsForm(TrackSettings, advanced, advanced, choices={"linker": linkers()})

    @property
    def value(self) -> PipelineSettings:
        """Settings of the moment; models by name where they have one."""
        return PipelineSettings(
            stain=self.stain.value.model_copy(update={"model": model_name(self.generator.value)}),
            segment=self.segment.value.model_copy(
                update={"model": model_name(self.segmenter.value)}
            ),
            track=self.track.value,
        )

    @value.setter
    def value(self, settings: PipelineSettings) -> None:
        from ...models import default_model

        self.generator.value = settings.stain.model or default_model("generator")
        self.segmenter.value = settings.segment.model or default_model("segmenter")
        self.stain.value, self.segment.value = settings.stain, settings.segment
        self.track.value = settings.track

    def follow(self) -> None:
        """Offer what the segmenter listens to: an add-on outlines in its own way."""
        self.segment.offer(add_on_name(self.segmenter.value) is None, _ADD_ON)

    def why_not(self) -> str | None:
        """Return why no model can be used, None when both can."""
        return self.generator.why_not() or self.segmenter.why_not()


def model_name(model: str | None) -> str | None:
    """Return the name of a shipped or listed model, or its path if it is neither."""
    from ...models import list_models

    names = {str(entry.path): entry.name for entry in list_models()}
    return names.get(model or "", model)


def read_settings_said(settings: ReadSettings) -> str:
    """Return which choices about reading a settings file names, for a sentence."""
    named = {"channel": settings.channel, "axes": settings.axes, "position": settings.position}
    return " and ".join(name for name, value in named.items() if value is not None)


def _head(form: QFormLayout, text: str) -> None:
    label = QLabel(text)
    label.setObjectName("heading")
    label.setStyleSheet("font-weight: bold;")
    form.addRow(label)
