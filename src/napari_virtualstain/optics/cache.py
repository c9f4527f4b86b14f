"""Weight maps kept on disk, so that each is computed once."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import OutputError
from ..folders import cache_folder
from .weights import Map, WeightKind, weight_map

_log = logging.getLogger(__name__)
# Raised whenever the same settings would give other numbers than before.
_VERSION = 1


class WeightMapCache:
    """Weight maps by content of the image and settings.

    A damaged or foreign entry is computed again; a folder that cannot be written only
    costs time. Several processes may share one folder.

    Parameters
    ----------
    folder : path, optional
        Where entries live; None is the user's cache folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> image = np.eye(8)
    >>> first = WeightMapCache(folder).get(image)
    >>> bool((WeightMapCache(folder).get(image) == first).all())
    True
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder)

    def get(
        self, fluorescence: ArrayLike, kind: WeightKind = "psf_deconvolution", **settings: Any
    ) -> Map:
        """Return :func:`weight_map` of the same arguments, from disk where it is there."""
        image = np.asarray(fluorescence)
        if kind == "none":
            return weight_map(image, kind, **settings)
        path = self.path(image, kind, **settings)
        found = _read(path, image.shape)
        if found is None:
            found = weight_map(image, kind, **settings)
            _write(path, found)
        return found

    def path(self, fluorescence: ArrayLike, kind: WeightKind, **settings: Any) -> Path:
        """Return the file of an entry, whether it exists or not."""
        image = np.ascontiguousarray(fluorescence)
        described = {
            name: np.asarray(value).tolist() if name == "psf" else value
            for name, value in settings.items()
            if value is not None
        }
        header = [_VERSION, kind, image.shape, image.dtype.str, described]
        digest = hashlib.sha256(json.dumps(header, sort_keys=True, default=str).encode())
        digest.update(image.data if image.size else b"")
        name = digest.hexdigest()
        return self.folder / name[:2] / f"{name}.npz"

    def clear(self) -> int:
        """Delete all entries and return how many there were."""
        entries = list(self.folder.glob("??/*.npz"))
        for entry in entries:
            entry.unlink(missing_ok=True)
        return len(entries)


def default_folder() -> Path:
    """Return the folder of weight maps in the user's cache."""
    return cache_folder() / "weight_maps"


def _read(path: Path, shape: tuple[int, ...]) -> Map | None:
    try:
        # The zip container checks each entry by CRC, which a bare array file does not.
        # Opened here, because numpy leaves a file open when it is no zip container.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as entry:
            found = np.asarray(entry["weights"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("Weight map %s is unreadable (%s); it is computed again.", path, error)
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None


def _write(path: Path, weights: Map) -> None:
    from ..io import atomic_path

    try:
        with atomic_path(path, overwrite=True) as temporary, temporary.open("wb") as stream:
            np.savez(stream, weights=weights)
            stream.close()
    except OutputError as error:
        _log.warning("Weight map could not be kept in %s: %s", path.parent, error)
