"""Model registry: shipped with the package, in the user's folder, elsewhere.

The environment variable ``VIRTUALSTAIN_MODELS`` names more folders, separated as in
PATH; the first of them, if given, replaces the user's folder. A shipped name
always means the shipped model, so that a name in a paper means one thing; another
model of that name is reached by its path.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ..errors import ModelError, shown
from ..folders import data_folder
from .card import ModelCard, ModelKind
from .header import read_header

SUFFIX = ".safetensors"
ENVIRONMENT = "VIRTUALSTAIN_MODELS"
_DEFAULTS: dict[ModelKind, tuple[str, ...]] = {
    "generator": ("mito-h9c2", "mito-simulated"),
    "segmenter": ("mito-segment",),
}
Source = Literal["shipped", "user"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model that was found.

    Attributes
    ----------
    name : str
        File name without suffix; what :func:`load_model` takes.
    path : Path
        The file.
    source : {"shipped", "user"}
        Whether it came with the package.
    card : ModelCard or None
        None when the file cannot be read.
    problem : str
        Why not.
    """

    name: str
    path: Path
    source: Source
    card: ModelCard | None = None
    problem: str = ""


def shipped_folder() -> Path:
    """Return the folder of the models that come with the package.

    Examples
    --------
    >>> (shipped_folder() / "mito-h9c2.safetensors").exists()
    True
    """
    return Path(__file__).parent / "weights"


def user_model_folder() -> Path:
    """Return the folder for own models; it need not exist yet.

    Examples
    --------
    >>> user_model_folder().is_absolute()
    True
    """
    return _extra_folders()[0]


def _extra_folders() -> list[Path]:
    given = [part for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
    if given:
        return [Path(part).expanduser().absolute() for part in given]
    return [data_folder() / "models"]


def list_models(kind: ModelKind | None = None) -> list[ModelEntry]:
    """Return all available models, shipped ones first; needs no torch.

    Parameters
    ----------
    kind : {"generator", "segmenter"}, optional
        Only models of that kind. Unreadable files are listed only without `kind`.

    Examples
    --------
    >>> all(entry.path.suffix == ".safetensors" for entry in list_models())
    True
    """
    folders: list[tuple[Path, Source]] = [(shipped_folder(), "shipped")]
    folders += [(folder, "user") for folder in _extra_folders()]
    entries = [_entry(path, source) for folder, source in folders for path in _files(folder)]
    if kind is None:
        return entries
    return [entry for entry in entries if entry.card is not None and entry.card.kind == kind]


def default_model(kind: ModelKind = "generator") -> str:
    """Return the name of the model that is used when none is named.

    Raises
    ------
    ModelError
        No model of that kind is at hand.

    Examples
    --------
    >>> default_model()
    'mito-h9c2'
    """
    names = [entry.name for entry in list_models(kind)]
    for name in _DEFAULTS[kind]:
        if name in names:
            return name
    if names:
        return names[0]
    raise ModelError(
        f"No {kind} is installed. Train one with 'virtualstain train', or put a "
        f"{SUFFIX} model into {str(user_model_folder())!r}."
    )


def find_model(name_or_path: str | Path) -> Path:
    """Return the file of a model given by name or by path.

    Raises
    ------
    ModelError
        There is none; the message lists what there is.

    Examples
    --------
    >>> find_model("mito-h9c2").name
    'mito-h9c2.safetensors'
    """
    given = str(name_or_path)
    shipped = {file.stem: file for file in _files(shipped_folder())}
    if given in shipped:
        return shipped[given]  # a file of that name in the working folder is another model
    try:
        path = Path(given).expanduser()
        is_file = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # no such user, a null character
        raise ModelError(f"{shown(given)} is no usable name of a model ({error}).") from error
    if is_file:
        return path
    if path.is_dir():
        raise ModelError(f"{given!r} is a folder; give a {SUFFIX} file, or the name of a model.")
    if path.name == given:
        for entry in list_models():
            if given in (entry.name, entry.path.name):
                return entry.path
    elif path.parent.is_dir() or path.is_absolute() or path.suffix:
        raise ModelError(f"There is no model file {given!r}. {_available()}")
    raise ModelError(f"There is no model {given!r}. {_available()}")


def _available() -> str:
    names = sorted({entry.name for entry in list_models() if entry.card is not None})
    at_hand = f"Available: {', '.join(names)}." if names else "No model is installed."
    return f"{at_hand} Give one of these names, or the path of a {SUFFIX} file."


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())
    except OSError:
        # an unreadable folder of the user must not keep the shipped models from being listed
        return []


def _entry(path: Path, source: Source) -> ModelEntry:
    try:
        state = path.stat()
        card = _cached_card(path, state.st_mtime_ns, state.st_size)
    except (ModelError, OSError) as error:
        return ModelEntry(path.stem, path, source, problem=str(error))
    return ModelEntry(path.stem, path, source, card)


@lru_cache(maxsize=256)
def _cached_card(path: Path, modified_ns: int, size: int) -> ModelCard:
    return read_header(path).card


def read_card(name_or_path: str | Path) -> ModelCard:
    """Return the card of a model without loading its weights.

    Parameters
    ----------
    name_or_path : str or Path
        As for :func:`load_model`.

    Raises
    ------
    ModelError
        As for :func:`load_model`.

    Examples
    --------
    >>> read_card("mito-simulated").kind
    'generator'
    """
    return read_header(find_model(name_or_path)).card
