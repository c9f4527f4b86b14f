"""Reading the header of a safetensors file without torch and without trust.

A safetensors file is eight bytes with the length of a JSON header, the header, and the
raw numbers. Nothing in it can be executed. The checks here are for files that are cut
off, foreign, or made to exhaust memory; they cost one small read, so that a dock can
list a folder of models at start-up.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import ModelError, reading
from .card import SCHEMA_VERSION, ModelCard

METADATA_KEY = "napari_virtualstain"
LARGEST_HEADER_BYTES = 8 * 2**20
_BYTES_OF = {"F16": 2, "BF16": 2, "F32": 4, "I64": 8}
_PICKLES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib"}


@dataclass(frozen=True, slots=True)
class Header:
    """Header of a model file.

    Attributes
    ----------
    card : ModelCard
        The card.
    shapes : dict of str to tuple of int
        Shape of each array.
    """

    card: ModelCard
    shapes: dict[str, tuple[int, ...]]


def read_header(path: Path) -> Header:
    """Return the card of a model file and the shapes of its arrays.

    Raises
    ------
    ModelError
        The file is missing, foreign, cut off, damaged or hostile.
    """
    with reading(path, "a model of napari-virtualstain", error_class=ModelError):
        return _header(path)


def _header(path: Path) -> Header:
    raw = _raw_header(path)
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _foreign(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _foreign(path, "its header is not a JSON object")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(METADATA_KEY), str):
        raise _foreign(path, "it has weights but no card of napari-virtualstain")
    shapes = _checked_shapes(path, header, path.stat().st_size - 8 - len(raw))
    return Header(_parsed_card(path, metadata[METADATA_KEY]), shapes)


def _raw_header(path: Path) -> bytes:
    """Return the JSON at the beginning of a safetensors file, without reading the weights.

    Raises
    ------
    ModelError
        The file is a pickle by its name, no safetensors file, cut off, or cannot be read.
    """
    if path.suffix.lower() in _PICKLES:
        raise ModelError(
            f"{path.name} is a pickle by its name. Pickles can run any code and are never loaded: "
            "give a .safetensors model, for instance one written by 'virtualstain train'."
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 10 or length > min(LARGEST_HEADER_BYTES, size - 8):
                raise _foreign(path, "it is not a safetensors file, or it is cut off")
            return file.read(length)
    except OSError as error:
        raise ModelError(
            f"Model file {str(path)!r} cannot be read ({error.strerror or error}). "
            "Check the path and its permissions."
        ) from error


def _checked_shapes(
    path: Path, header: dict[str, Any], available: int
) -> dict[str, tuple[int, ...]]:
    """Return the shapes after checking that the arrays fill the file exactly."""
    shapes: dict[str, tuple[int, ...]] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        try:
            shape = tuple(int(n) for n in entry["shape"])
            begin, end = (int(n) for n in entry["data_offsets"])
            expected = math.prod(shape) * _BYTES_OF[entry["dtype"]]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _damaged(path, f"array {name[:80]!r} is described wrongly") from error
        if min(shape, default=0) < 0 or end - begin != expected:
            raise _damaged(path, f"array {name[:80]!r} has a size that contradicts its shape")
        shapes[name] = shape
        spans.append((begin, end))
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise _damaged(path, "its arrays overlap or leave gaps")
        position = end
    if position != available:
        raise _damaged(path, f"{position} bytes of weights are announced, {available} are there")
    return shapes


def _parsed_card(path: Path, text: str) -> ModelCard:
    try:
        card = ModelCard.model_validate_json(text)
    except (ValidationError, RecursionError) as error:
        detail = ""
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            detail = f" ({'.'.join(map(str, first['loc']))}: {first['msg']})"
        raise _damaged(path, f"its card cannot be read{detail}") from error
    if card.schema_version > SCHEMA_VERSION:
        raise ModelError(
            f"{path.name} was written by a newer napari-virtualstain (card version "
            f"{card.schema_version}, this one reads {SCHEMA_VERSION}). Update napari-virtualstain."
        )
    return card


def _foreign(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path.name} is not a model of napari-virtualstain: {reason}. Expected a .safetensors "
        "file written by 'virtualstain train' or downloaded whole; 'virtualstain models list' "
        "shows the models at hand."
    )


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"Model file {path.name} is damaged: {reason}. Copy or download it again, or train again."
    )
