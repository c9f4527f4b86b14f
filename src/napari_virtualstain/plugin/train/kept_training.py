"""Kept state of a training, by which it continues after the program was killed.

Settings, regions and the images themselves lie beside the checkpoint until the model is there.
Images that came from a file are opened from it again; others are saved.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...data import plane_at
from ...errors import InputError, OutputError
from ..kit.jobs import JobContext
from ..layers.description import find_layer, geometry_of
from .dock_settings import DockSettings, remember_settings
from .drawn_regions import COLOURS, ROLE, roles_of
from .job import TrainRequest, train_job

_FILE, _FOLDER = "layers.json", "layers"
_in_training: set[Path] = set()  # model files that docks of this window write now
_ROLES = ("bright_field", "fluorescence")


@dataclass(frozen=True, slots=True)
class KeptLayer:
    """A layer as it was, copied in the GUI thread.

    Attributes
    ----------
    role : str
        ``bright_field``, ``fluorescence`` or ``shapes``.
    name : str
        Of the layer.
    data : array or None
        Of an image; None for shapes.
    look : dict
        Geometry, and what else makes the layer again.
    """

    role: str
    name: str
    data: Any
    look: dict[str, Any]


def kept_pairs(rows: Any) -> list[list[KeptLayer]]:
    """Return the layers of each row of a dock."""
    return [
        [
            _kept(role, getattr(row, role).value)
            for role in (*_ROLES, "shapes")
            if getattr(row, role).value is not None
        ]
        for row in rows
    ]


def is_in_training(output: Path) -> bool:
    """Return whether a dock of this window trains a model of this file."""
    return output in _in_training


def keep_and_train(
    request: TrainRequest, pairs: list[list[KeptLayer]], context: JobContext
) -> Generator[Any, None, Any]:
    """Keep layers and settings, then yield the events of :func:`train_job`; return its result.

    Raises
    ------
    InputError
        Another dock trains a model of this name.
    """
    if is_in_training(request.output):
        raise InputError(f"{request.output.stem!r} is being trained now. Choose another name.")
    _in_training.add(request.output)
    try:
        keep(request.output, pairs, request.settings, context.cancel.raise_if_cancelled)
        return (yield from train_job(request, context))
    finally:
        _in_training.discard(request.output)


def keep(
    output: Path,
    pairs: list[list[KeptLayer]],
    settings: DockSettings,
    check: Callable[[], None],
) -> None:
    """Write the settings and layers of a training into its folder, unless the same are there.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    from ...training import training_folder

    folder = training_folder(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # before the layers: where these are, the training is offered again with its settings
        remember_settings(output, settings)
        _write(folder / _FOLDER, pairs, check)
    except OSError as error:
        reason = error.strerror or str(error).rstrip(".")
        raise OutputError(
            f"The training cannot be kept in {str(folder)!r} ({reason}), so it "
            "could not go on after a crash and its model could not be saved. Free some space, or "
            "choose another folder for models (VIRTUALSTAIN_MODELS)."
        ) from error


def _write(target: Path, pairs: list[list[KeptLayer]], check: Callable[[], None]) -> None:
    from ...io import write_text_atomically

    target.mkdir(parents=True, exist_ok=True)
    described = []
    for number, pair in enumerate(pairs):
        rows = []
        for layer in pair:
            file = ""
            if layer.data is not None:
                file = f"{number}_{layer.role}.npy"
                _save(target / file, layer.data, check)
            rows.append({"role": layer.role, "name": layer.name, "file": file, "look": layer.look})
        described.append(rows)
    write_text_atomically(target / _FILE, json.dumps(described), overwrite=True)


def unfinished(models: Path) -> list[Path]:
    """Return the model files of trainings that were stopped and whose layers are kept.

    The one that began last stands last.
    """
    kept = sorted(models.glob(f"*.training/{_FOLDER}/{_FILE}"), key=os.path.getmtime)
    folders = [path.parent.parent for path in kept]
    names = [models / f"{folder.name.removesuffix('.training')}.safetensors" for folder in folders]
    return [path for path in names if not path.exists()]


def restore(folder: Path, viewer: Any) -> list[dict[str, Any]]:
    """Return the layers of each pair by their role, added to the viewer where they are missing.

    Raises
    ------
    InputError
        What was kept is damaged.
    """
    try:
        pairs = json.loads((folder / _FOLDER / _FILE).read_text(encoding="utf-8"))
        return [
            {kept["role"]: _restored(folder / _FOLDER, kept, viewer) for kept in pair}
            for pair in pairs
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"What was kept of this training in {str(folder)!r} cannot be read "
            f"({type(error).__name__}). Load the layers again, or give the model another name."
        ) from error


def forget(folder: Path) -> None:
    """Delete the layers of a training that has its model."""
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)


def _kept(role: str, layer: Any) -> KeptLayer:
    look: dict[str, Any] = {"geometry": _plain(geometry_of(layer))}
    if role == "shapes":
        look |= {
            "shapes": [np.asarray(vertices).tolist() for vertices in layer.data],
            "kinds": [str(kind) for kind in layer.shape_type],
            "roles": roles_of(layer),
            "ndim": int(layer.ndim),
        }
        return KeptLayer(role, layer.name, None, look)
    look |= {
        "colormap": str(layer.colormap.name),
        "blending": str(layer.blending),
        "contrast_limits": [float(limit) for limit in layer.contrast_limits],
        "metadata": {key: value for key, value in layer.metadata.items() if key == "virtualstain"},
    }
    return KeptLayer(role, layer.name, layer.data, _plain(look))


def _save(path: Path, data: Any, check: Callable[[], None]) -> None:
    """Write an array plane by plane, unless the same is there."""
    from ...io import atomic_path

    if path.exists() and _holds(path, data, check):
        return
    with atomic_path(path, overwrite=True) as partial:
        _write_planes(partial, data, check)


def _holds(path: Path, data: Any, check: Callable[[], None]) -> bool:
    """Return whether a file has these pixels: a new training may have the name of an old one."""
    try:
        kept = np.load(path, mmap_mode="r")
    except ValueError:
        return False
    if (kept.shape, kept.dtype) != (tuple(data.shape), np.dtype(data.dtype)):
        return False
    for index in np.ndindex(*kept.shape[:-2]):
        check()
        if kept[index].tobytes() != np.asarray(plane_at(data, index)).tobytes():
            return False
    return True


def _write_planes(path: Path, data: Any, check: Callable[[], None]) -> None:
    with path.open("wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(data.dtype)),
            "fortran_order": False,
            "shape": tuple(int(n) for n in data.shape),
        }
        np.lib.format.write_array_header_2_0(file, header)
        for index in np.ndindex(*data.shape[:-2]):
            check()
            file.write(np.ascontiguousarray(plane_at(data, index)).tobytes())


def _restored(folder: Path, kept: dict[str, Any], viewer: Any) -> Any:
    look, geometry = kept["look"], kept["look"]["geometry"]
    known = find_layer(viewer, kept["name"])
    if kept["role"] == "shapes":
        if known is not None and len(known.data) == len(look["shapes"]):
            return known
        made = viewer.add_shapes(
            None,
            ndim=look["ndim"],
            name=kept["name"],
            face_color="transparent",
            edge_color=COLOURS["train"],
            edge_width=2,
            **geometry,
        )
        for vertices, kind in zip(look["shapes"], look["kinds"], strict=True):
            made.add(np.asarray(vertices, float), shape_type=kind)
        made.features = pd.DataFrame({ROLE: look["roles"]})
        made.edge_color = [COLOURS[role] for role in look["roles"]]
        made.face_color = "transparent"
        return made
    data = np.load(folder / kept["file"], mmap_mode="r")
    if known is not None and tuple(known.data.shape) == data.shape:
        return known
    looks = {key: look[key] for key in ("colormap", "blending", "contrast_limits", "metadata")}
    return viewer.add_image(data, name=kept["name"], **looks, **geometry)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
