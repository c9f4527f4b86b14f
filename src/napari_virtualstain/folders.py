"""Folders of this program in the user's account: data, cache, settings and logs.

On Linux ``~/.local/share``, ``~/.cache``, ``~/.config`` and ``~/.local/state``; on Windows and
macOS where programs keep such files there. No folder is created here.
"""

from __future__ import annotations

from pathlib import Path

_NAME = "napari-virtualstain"


def data_folder() -> Path:
    """Return the folder of what the user made, such as models.

    Examples
    --------
    >>> data_folder().name
    'napari-virtualstain'
    """
    from platformdirs import user_data_path

    return user_data_path(_NAME, appauthor=False)


def cache_folder() -> Path:
    """Return the folder of what can be computed or downloaded again.

    Examples
    --------
    >>> cache_folder().is_absolute()
    True
    """
    from platformdirs import user_cache_path

    return user_cache_path(_NAME, appauthor=False)


def settings_folder() -> Path:
    """Return the folder of remembered settings.

    Examples
    --------
    >>> settings_folder().is_absolute()
    True
    """
    from platformdirs import user_config_path

    return user_config_path(_NAME, appauthor=False)


def log_folder() -> Path:
    """Return the folder of the tracebacks of unexpected errors.

    Examples
    --------
    >>> log_folder().is_absolute()
    True
    """
    from platformdirs import user_log_path

    return user_log_path(_NAME, appauthor=False)
