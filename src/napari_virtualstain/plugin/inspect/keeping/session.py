"""Sessions: the layers of a viewer with their edits and verdicts, in a folder.

Images that were read from a file which is still there are kept as its path; all other data are
written as ``.npy``, exactly. ``session.json`` says what belongs together. No pickle is read.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.utils.notifications import show_warning

from ....errors import ImageFileError, InputError
from ...layers.description import PROVENANCE, provenance_of, unwrap
from ..overlay import is_overlay
from .colours_as_json import CONTOUR, colours_of, looks_from

ENDING = ".vsession"
FORMAT = "virtualstain-session"
LayerTuple = tuple[Any, dict[str, Any], str]
_LOOKS = (
    "name",
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
    "units",
    "axis_labels",
    "opacity",
    "blending",
    "visible",
)
_OF_KIND: dict[str, tuple[str, ...]] = {
    "image": ("contrast_limits", "gamma", "rgb"),
    "labels": (),
    "tracks": ("tail_width", "tail_length", "head_length", "color_by", "colormap"),
    "points": ("size", "symbol", "border_color", "face_color"),
    "shapes": ("shape_type", "edge_width", "edge_color", "face_color"),
}
_COLOURS = ("border_color", "edge_color", "face_color")
SETTINGS = "inspector"
_KEPT = ("verdicts", "edit_log", "sample", SETTINGS)
_LINKS = "link_verdicts"


def save_session(viewer: Any, path: str | Path) -> Path:
    """Write all layers of a viewer to a folder and return it; one that is there is replaced.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    from ....io import atomic_path

    target = Path(path)
    if target.suffix != ENDING:
        target = target.with_name(target.name + ENDING)
    layers = [unwrap(layer) for layer in viewer.layers if not is_overlay(layer)]
    with atomic_path(target, overwrite=True) as folder:
        folder.mkdir(parents=True)
        known = [_written(layer, folder, number) for number, layer in enumerate(layers)]
        for record in known:
            if "file" in record:
                with suppress(ValueError):  # on another drive of Windows
                    record["beside"] = os.path.relpath(record["file"], target.absolute().parent)
        step = [int(one) for one in viewer.dims.current_step]
        content = {"format": FORMAT, "version": 1, "layers": known, "step": step}
        (folder / "session.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    return target


def read_session(path: str | Path) -> list[LayerTuple]:
    """Return the layers of a session, without movies that have gone.

    A movie is looked for where it was, and where it is if it moved together with the session.

    Raises
    ------
    ImageFileError
        There is no such session, or nothing of it but movies that have gone.
    InputError
        The folder is no session.
    """
    folder = Path(path)
    try:
        content = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise ImageFileError(f"There is no session in {folder}. Check the folder.") from error
    except ValueError as error:
        raise InputError(f"{folder / 'session.json'} is damaged ({error}).") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{folder} is no session of this plugin: session.json does not say so.")
    records = content["layers"]
    gone = [one for one in records if "file" in one and _movie_file(one, folder) is None]
    there = [one for one in records if one not in gone]
    layers = [_read(record, folder) for record in there]
    for record in gone:
        text = f"The movie {record['file']} of this session is not there any more. "
        if not layers:
            raise ImageFileError(f"{text}Put it back.")
        show_warning(f"{text}The other layers are opened; put it back, or load it again.")
    return layers


def is_session(path: Path) -> bool:
    """Whether a folder looks like a session."""
    return path.suffix == ENDING and (path / "session.json").exists()


def get_session_reader(path: str | list[str]) -> Any:
    """Return the reader if `path` is a session, or None."""
    paths = [path] if isinstance(path, str) else list(path)
    return _read_all if paths and all(is_session(Path(one)) for one in paths) else None


def movie_path(layer: Any) -> Path | None:
    """Return the file or folder that an image layer was read from, None for none."""
    if layer is None:
        return None
    record, given = provenance_of(layer), getattr(layer.source, "path", None)
    if given is not None and is_session(Path(given)):  # it was opened with a whole session
        given = None
    if given is None and record.get("step") == "load":
        given = record.get("source") or None
    return Path(given) if given and Path(given).exists() else None


def _read_all(path: str | list[str]) -> list[LayerTuple]:
    paths = [path] if isinstance(path, str) else list(path)
    return [layer for one in paths for layer in read_session(one)]


def _written(layer: Any, folder: Path, number: int) -> dict[str, Any]:
    data, attributes, kind = layer.as_layer_data_tuple()
    looks = {n: attributes[n] for n in (*_LOOKS, *_OF_KIND.get(kind, ())) if n in attributes}
    metadata = {n: layer.metadata[n] for n in (PROVENANCE, *_KEPT) if n in layer.metadata}
    record = {"kind": kind, "looks": _plain(looks), "metadata": _plain(metadata)}
    record["colours"] = colours_of(layer, kind)
    if links := layer.metadata.get(_LINKS):
        record[_LINKS] = [[int(track), int(frame), str(v)] for (track, frame), v in links.items()]
    if (file := _file_of(layer)) is not None:
        return {**record, "file": str(file), "shape": [int(n) for n in data.shape]}
    if kind == "shapes":
        parts = [np.asarray(one) for one in data]
        np.savez(folder / f"{number}.npz", *parts)
        return {**record, "data": f"{number}.npz", "parts": len(parts)}
    _save(folder / f"{number}.npy", data)
    if kind == "tracks":
        _write_tracks(layer, folder, number)
        graph = layer.graph.items()
        record["graph"] = {str(c): [int(p) for p in np.atleast_1d(of)] for c, of in graph}
    return {**record, "data": f"{number}.npy"}


def _save(path: Path, data: Any) -> None:
    """Write an array plane by plane: a lazy one never stands in memory."""
    if isinstance(data, np.ndarray) or data.ndim < 3:
        np.save(path, np.asarray(data), allow_pickle=False)
        return
    out = np.lib.format.open_memmap(path, mode="w+", dtype=data.dtype, shape=data.shape)
    for frame in range(len(data)):
        out[frame] = np.asarray(data[frame])
    out.flush()


def _write_tracks(layer: Any, folder: Path, number: int) -> None:
    layer.features.to_csv(folder / f"{number}.features.csv", index=False)
    core = layer.metadata.get("tracks")
    if core is not None:
        core.to_csv(folder / f"{number}.tracks.csv")


def _file_of(layer: Any) -> Path | None:
    """Return the file that holds an image layer as it is, None for one that was computed."""
    record = provenance_of(layer)
    if type(layer).__name__ != "Image" or (record and record.get("step") != "load"):
        return None
    path = movie_path(layer)
    return None if path is None else path.absolute()


def _read(record: dict[str, Any], folder: Path) -> LayerTuple:
    from ....tracking import Tracks

    kind, looks = str(record["kind"]), dict(record["looks"])
    metadata = dict(record["metadata"])
    # sessions of version 0.1 hold a colormap among the looks
    older = {"colormap": looks.get("colormap", "gray")} if kind == "image" else {}
    colours = record.get("colours", older)
    looks |= looks_from(colours, kind)
    for one in _COLOURS:  # of each point or shape
        if one in looks:
            looks[one] = np.array(looks[one], float).reshape(-1, 4)
    if CONTOUR in colours:
        metadata[CONTOUR] = int(colours[CONTOUR])
    if "verdicts" in metadata:
        metadata["verdicts"] = {int(k): str(v) for k, v in metadata["verdicts"].items()}
    if _LINKS in record:
        metadata[_LINKS] = {(int(track), int(frame)): str(v) for track, frame, v in record[_LINKS]}
    looks["metadata"] = metadata
    if (movie := _movie_file(record, folder)) is not None:
        if metadata.get(PROVENANCE, {}).get("step") == "load":
            metadata[PROVENANCE] = {**metadata[PROVENANCE], "source": str(movie)}
        return _from_file(movie, record, looks), looks, kind
    name = Path(str(record["data"])).name
    if "parts" in record:
        with np.load(folder / name, allow_pickle=False) as parts:
            return [parts[f"arr_{i}"] for i in range(record["parts"])], looks, kind
    # labels and tracks are edited; images are only looked at, and may be large
    is_image = kind == "image"
    data = np.load(folder / name, mmap_mode="r" if is_image else None, allow_pickle=False)
    if kind == "tracks":
        stem = folder / name.removesuffix(".npy")
        looks["features"] = pd.read_csv(f"{stem}.features.csv")
        looks["graph"] = {int(c): list(of) for c, of in record["graph"].items()}
        if Path(f"{stem}.tracks.csv").exists():
            metadata["tracks"] = Tracks.from_csv(f"{stem}.tracks.csv")
    return data, looks, kind


def _movie_file(record: dict[str, Any], folder: Path) -> Path | None:
    """Return where the movie of a layer is now, None for no movie and for one that has gone."""
    if "file" not in record:
        return None
    path, home = Path(record["file"]), folder.absolute().parent
    places = (path, home / str(record.get("beside", path.name)), home / path.name)
    # sessions of version 0.1 that were saved again name the session itself
    return next((one for one in places if one.exists() and not is_session(one)), None)


def _from_file(path: Path, record: dict[str, Any], looks: dict[str, Any]) -> Any:
    """Return the data of a layer that was read from a file."""
    from ...contributions.readers import read_time_lapse

    layers = read_time_lapse(str(path))
    fitting = [data for data, _, _ in layers if list(data.shape) == record["shape"]]
    named = [data for data, given, _ in layers if given.get("name") == looks.get("name")]
    if not fitting:
        raise InputError(
            f"{path} has another shape than when the session was saved ({record['shape']}). Put "
            "the movie of that time back."
        )
    return next((one for one in named if any(one is f for f in fitting)), fitting[0])


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
