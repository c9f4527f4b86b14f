"""Remembered corrections of the user for the files of a folder."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from ...folders import settings_folder

_LARGEST = 200


def _store() -> Path:
    return settings_folder() / "folders.json"


def _load() -> dict[str, dict[str, Any]]:
    try:
        known = json.loads(_store().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def recall(folder: Path) -> dict[str, Any]:
    """Return what was remembered for `folder`, empty if nothing was."""
    known = _load().get(str(folder), {})
    return known if isinstance(known, dict) else {}


def remember(folder: Path, settings: dict[str, Any]) -> None:
    """Remember `settings` for `folder`; a read-only configuration folder is no error."""
    known = _load()
    known.pop(str(folder), None)
    known[str(folder)] = {key: value for key, value in settings.items() if value is not None}
    newest = dict(list(known.items())[-_LARGEST:])
    with contextlib.suppress(OSError):
        _store().parent.mkdir(parents=True, exist_ok=True)
        _store().write_text(json.dumps(newest, indent=1), encoding="utf-8")
