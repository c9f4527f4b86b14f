"""Settings of tracking, by the name that :func:`track` and :func:`link` know them under."""

from __future__ import annotations

from ..settings import TrackSettings

TrackingConfig = TrackSettings
