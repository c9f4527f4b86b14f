"""The reader that napari calls when a time-lapse is opened or dropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import AxesError
from ..kit.jobs import in_dock_terms
from ..load.remembered import recall
from .track_readers import format_of

MOVIE_SUFFIXES = (".tif", ".tiff", ".dv", ".r3d", ".zarr")
_IMAGES = (".tif", ".tiff", ".png")


def get_reader(path: str | list[str]) -> Callable[[Any], list[Any]] | None:
    """Return the reader function if `path` looks like a time-lapse, or None."""
    paths = [path] if isinstance(path, str) else list(path)
    return read_time_lapse if paths and all(_readable(Path(one)) for one in paths) else None


def _readable(path: Path) -> bool:
    if path.suffix.lower() in MOVIE_SUFFIXES:
        return True
    if not path.is_dir() or format_of(path):
        return False
    return any(child.suffix.lower() in _IMAGES for child in path.iterdir())


def read_time_lapse(path: str | list[str]) -> list[Any]:
    """Return one lazy image layer for each channel of each file in `path`.

    What the dock `Load time-lapse` remembers for the folder holds here too.
    """
    from ...io import open_stack
    from ..layers.from_stack import stack_to_layers

    paths = [path] if isinstance(path, str) else list(path)
    try:
        return [layer for one in paths for layer in stack_to_layers(open_stack(one, **_known(one)))]
    except AxesError as error:
        controls = {"--axes": "Axes of the dock Load time-lapse"}
        raise AxesError(in_dock_terms(str(error), controls)) from error


def _known(path: str) -> dict[str, Any]:
    """Return the pixel size and interval that were corrected for the folder of `path`.

    The axes of one file need not be those of its neighbours: they are read from each.
    """
    known = recall(Path(path).parent)
    return {name: known[name] for name in ("pixel_size_um", "frame_interval_s") if name in known}
