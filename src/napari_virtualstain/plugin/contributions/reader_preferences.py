"""Opening the plugin's own files without napari's question which reader to take.

napari asks whenever two plugins could read a file, and its own reader claims every CSV and every
folder. Once, when the plugin is first used, it becomes the preferred reader of the endings below,
where the user has no preference yet and no third plugin reads them. *Preferences > Plugins* shows
the choice and takes it back; it is not made a second time.
"""

from __future__ import annotations

import os
from typing import Any

from ...folders import settings_folder
from ..kit.preferences import PLUGIN

FILES = ("*.csv",)
FOLDERS = ("*.geff", "*.ctc", "*.vsession", "*_RES")
_MARK = "readers_proposed"
_OWN = {PLUGIN, "napari"}


def propose_readers(_context: Any = None) -> None:
    """Prefer the plugin's readers for its own formats, the first time that the plugin is used."""
    mark = settings_folder() / _MARK
    if mark.exists():
        return
    try:
        from napari.settings import get_settings

        settings = get_settings().plugins
        known = dict(settings.extension2reader)
        wanted = [pattern for pattern in FILES if _readers_of(pattern) <= _OWN]
        wanted += [f"{pattern}{os.sep}" for pattern in FOLDERS]
        settings.extension2reader = {**dict.fromkeys(wanted, PLUGIN), **known}
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("Preferences > Plugins lists the endings.\n", encoding="utf-8")
    except (ImportError, AttributeError, OSError):
        return  # an older napari, or no room: it goes on asking


def _readers_of(pattern: str) -> set[str]:
    """Return the plugins that read files of an ending."""
    from npe2 import PluginManager

    name = f"any{pattern.removeprefix('*')}"
    return {one.plugin_name for one in PluginManager.instance().iter_compatible_readers([name])}
