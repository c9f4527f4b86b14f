"""Settings of each step: one class a step, for keywords, command line, docks, files, metadata.

A field holds, once, all that any front end shows of it: title, unit, limits, choices and a
description. :func:`fields_of` reads them out for ``--help`` and for the docks' forms::

    field = fields_of(SegmentSettings)["min_area_um2"]
    field.label        # "Smallest (µm²)"
    field.help         # "Objects below this area are removed, in µm² [0.05]."
    field.widget       # {"widget_type": ..., "label": ..., "tooltip": ..., ...} for magicgui
"""

from .event_tuning import DivisionTuning, EventTuning, PersistenceTuning
from .fields import (
    Display,
    SettingField,
    Settings,
    checked_settings,
    fields_of,
    reasons,
    setting,
    settings_beside,
)
from .former_names import renamed_keywords
from .link_tuning import GapTuning, JoinTuning, LinkTuning, MotionTuning, PaperTuning
from .steps import (
    LINKERS,
    Mode,
    PipelineSettings,
    Precision,
    ReadSettings,
    SegmentSettings,
    Split,
    StainSettings,
    TrackSettings,
)
from .training_settings import OpticsSettings, PairSettings, SegmenterTraining, TrainSettings
from .tuning import MotionClassTuning, TrackTuning

__all__ = [
    "LINKERS",
    "Display",
    "DivisionTuning",
    "EventTuning",
    "GapTuning",
    "JoinTuning",
    "LinkTuning",
    "Mode",
    "MotionClassTuning",
    "MotionTuning",
    "OpticsSettings",
    "PairSettings",
    "PaperTuning",
    "PersistenceTuning",
    "PipelineSettings",
    "Precision",
    "ReadSettings",
    "SegmentSettings",
    "SegmenterTraining",
    "SettingField",
    "Settings",
    "Split",
    "StainSettings",
    "TrackSettings",
    "TrackTuning",
    "TrainSettings",
    "checked_settings",
    "fields_of",
    "reasons",
    "renamed_keywords",
    "setting",
    "settings_beside",
]
