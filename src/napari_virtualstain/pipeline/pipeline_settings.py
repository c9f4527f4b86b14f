"""Reading, writing and merging the settings of all steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .._version import __version__
from ..errors import InputError
from ..io import check_is_file, write_text_atomically
from ..settings import PipelineSettings, TrackSettings, checked_settings, reasons


def load_settings(path: str | Path) -> PipelineSettings:
    """Return the settings in a file that :func:`save_settings` or a dock wrote.

    Parameters
    ----------
    path : str or Path
        JSON.

    Raises
    ------
    InputError
        Missing, no JSON, or with settings that are unknown or impossible; the message
        names them.

    Examples
    --------
    >>> import tempfile
    >>> file = save_settings(Path(tempfile.mkdtemp()) / "s.json", PipelineSettings())
    >>> load_settings(file) == PipelineSettings()
    True
    """
    try:
        check_is_file(Path(path))
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return PipelineSettings.model_validate(content)
    except OSError as error:
        raise InputError(
            f"The settings file {path} cannot be read ({error.strerror or error}). Check the path."
        ) from error
    except ValidationError as error:
        raise InputError(f"The settings file {path} cannot be used: {reasons(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no settings file ({error}): expected the JSON that a run writes as "
            "settings.json."
        ) from error


def save_settings(path: str | Path, settings: PipelineSettings, *, overwrite: bool = False) -> Path:
    """Write settings as JSON and return the path.

    Raises
    ------
    OutputExistsError, OutputError
        See :func:`napari_virtualstain.io.check_output`.
    """
    text = settings.model_dump_json(indent=2) + "\n"
    return write_text_atomically(path, text, overwrite=overwrite)


def tracking_config(**given: Any) -> TrackSettings:
    """Return a tracking configuration, or a plain error about what cannot be.

    Raises
    ------
    InputError
        A setting is unknown or impossible.

    Examples
    --------
    >>> tracking_config(max_gap=2).max_gap
    2
    """
    return checked_settings(TrackSettings, **given)


def merged_settings(base: PipelineSettings, given: dict[str, dict[str, Any]]) -> PipelineSettings:
    """Return `base` with what was given, by step and name; None leaves a setting as it is.

    Raises
    ------
    InputError
        A setting is unknown or impossible.

    Examples
    --------
    >>> merged_settings(PipelineSettings(), {"segment": {"threshold": 0.3}}).segment.threshold
    0.3
    """
    content = base.model_dump()
    for step, values in given.items():
        content[step] |= {name: value for name, value in values.items() if value is not None}
    content["version"] = __version__
    return checked_settings(PipelineSettings, **content)
