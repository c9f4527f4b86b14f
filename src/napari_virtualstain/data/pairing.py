"""Collection of correlative pairs from folders, patterns, CSV files and stacks."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import InputError, expanded, reading
from ..progress import CancelToken, ProgressCallback, Reporter
from .correlative_pairs import CorrelativePairs, check_shapes
from .grouping import group_of, groups_of_stacks, guess_groups
from .name_matching import match_names
from .pair_reading import Channel, PairFiles, PairReader

Source: TypeAlias = str | Path | Sequence[str | Path]
_SUFFIXES = {
    ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".dv", ".zarr", ".npy", ".nd2", ".czi",
}  # fmt: skip


def match_pairs(
    bright_field: Source,
    fluorescence: Source | None = None,
    *,
    group_by: str | None = None,
    bright_field_channel: Channel = None,
    fluorescence_channel: Channel = None,
    axes: str | None = None,
    pixel_size_um: float | None = None,
    planes: int | None = 1,
    plane_axis: Literal["t", "z"] = "t",
    plane_step: int = 1,
    unmatched: Literal["stop", "ignore"] = "stop",
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> CorrelativePairs:
    r"""Return the correlative pairs that these files hold.

    Parameters
    ----------
    bright_field : path, pattern, or list of paths
        A folder, a pattern such as ``"cell*/bf_*.tif"``, one image, a list of images, or a
        ``.csv`` file with columns ``bright_field``, ``fluorescence`` and, if wanted, ``group``.
        Stacks over t and z give one pair a plane.
    fluorescence : same, optional
        Left out for a CSV file, and for stacks that hold both channels.
    group_by : str, optional
        Regular expression that finds the cell or movie in a file name, such as
        ``r"TL_\d+"``. Without it groups are guessed from the names.
    bright_field_channel, fluorescence_channel : int or str, optional
        Channel of files with several.
    axes : str, optional
        Of all files, where they do not say it themselves.
    pixel_size_um : float, optional
        Micrometres; read from the files when not given.
    planes, plane_axis, plane_step : int or None, str, int
        Bright-field planes read for one target; see :class:`Inputs` of the models. None is
        :func:`usual_planes` of the shallowest stack: 3 where all have as many along that axis.
    unmatched : {"stop", "ignore"}
        What to do about files without partner.
    progress, cancel
        See :mod:`napari_virtualstain.progress`.

    Raises
    ------
    InputError
        Nothing is there, files lack a partner, or sizes differ.
    CancelledError
        Cancelled.

    Examples
    --------
    >>> match_pairs("no-such-folder", "neither")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    napari_virtualstain.errors.InputError: No bright-field image ...
    """
    files, notes = _pair_files(bright_field, fluorescence, unmatched)
    reader = PairReader(
        axes,
        pixel_size_um,
        bright_field_channel,
        fluorescence_channel,
        planes,
        plane_axis,
        plane_step,
    )
    reporter = Reporter(len(files), "file", "reading pairs", progress, cancel)
    parts = []
    for file in files:
        reporter.check()
        parts.append(reader.read(file))
        reporter.advance()
    parts = _equally_deep(parts)
    if planes is None and parts[0].planes > 1:
        notes.append(
            f"Each plane is read with its neighbours along {plane_axis}, {parts[0].planes} in all; "
            "ask for one plane (planes=1, --planes 1) if the model is to stain single planes."
        )
    groups, grouping = _groups(files, parts, group_by)
    pairs = _joined(parts, groups).with_notes(*notes, *grouping)
    check_shapes(pairs)
    return pairs


def _equally_deep(parts: list[CorrelativePairs]) -> list[CorrelativePairs]:
    """Return all pairs with one plane where some are too shallow for neighbours."""
    if len({part.planes for part in parts}) == 1:
        return parts
    return [part.without_neighbours() for part in parts]


def _pair_files(
    bright_field: Source, fluorescence: Source | None, unmatched: Literal["stop", "ignore"]
) -> tuple[list[PairFiles], list[str]]:
    if fluorescence is None:
        if isinstance(bright_field, (str, Path)) and Path(bright_field).suffix.lower() == ".csv":
            files = _from_csv(Path(bright_field))
            return files, [f"{len(files)} pairs listed in {Path(bright_field).name}"]
        both = _image_files(bright_field, "two-channel")
        return [PairFiles(path, path) for path in both], []
    first = _image_files(bright_field, "bright-field")
    second = _image_files(fluorescence, "fluorescence")
    match = match_names(_relative_names(first), _relative_names(second))
    if not match.pairs:
        raise InputError(
            f"No names match between the {len(first)} bright-field images ({first[0].name}, ...) "
            f"and the {len(second)} fluorescence images ({second[0].name}, ...). Give both "
            "images of a pair one name, or list the pairs in a CSV file with columns "
            "bright_field, fluorescence."
        )
    if any(match.left_over) and unmatched == "stop":
        raise InputError(
            f"{match.describe()}. Add or remove files, or ask for those without partner to be "
            "ignored (unmatched='ignore', --ignore-unmatched)."
        )
    return [PairFiles(first[a], second[b]) for a, b in match.pairs], [match.describe()]


def _image_files(source: Source, what: str) -> list[Path]:
    if isinstance(source, (str, Path)):
        return _expanded(str(source), what)
    found = [path for part in source for path in _expanded(str(part), what)]
    if not found:
        raise InputError(f"No {what} image was given. Give a folder, a pattern or files.")
    return found


def _expanded(given: str, what: str) -> list[Path]:
    path = expanded(given)
    if path.is_dir() and path.suffix.lower() != ".zarr":
        candidates = sorted(path.iterdir())
        if not any(_is_image(p) for p in candidates):
            candidates = sorted(path.rglob("*"))
    elif path.exists():
        return [path]
    else:
        candidates = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    found = [p for p in candidates if _is_image(p)]
    if not found:
        raise InputError(
            f"No {what} image was found at {given!r}. Expected a folder of images, a pattern "
            "such as 'folder/*.tif', or one image file."
        )
    return found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")


def _relative_names(paths: Sequence[Path]) -> list[str]:
    """Return the names below the deepest common folder, so that folders tell cells apart."""
    root = os.path.commonpath([path.absolute().parent for path in paths])
    return [path.absolute().relative_to(root).as_posix() for path in paths]


def _from_csv(path: Path) -> list[PairFiles]:
    expected = "a table with the columns bright_field and fluorescence"
    with reading(path, expected, error_class=InputError):
        return _listed_pairs(path)


def _listed_pairs(path: Path) -> list[PairFiles]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The list of pairs {str(path)!r} cannot be read ({error}).") from error
    columns = set(rows[0]) if rows else set()
    if not {"bright_field", "fluorescence"} <= columns:
        raise InputError(
            f"{path.name} has columns {sorted(map(str, columns)) or 'none'}; expected a header "
            "with bright_field, fluorescence and, if wanted, group, and one row per pair."
        )
    files = []
    for number, row in enumerate(rows, start=2):
        listed = [path.parent / (row[name] or "") for name in ("bright_field", "fluorescence")]
        for image in listed:
            if not image.exists() or image == path.parent:
                raise InputError(
                    f"{path.name}, line {number}: there is no file {image.name!r} in "
                    f"{str(image.parent)!r}. Paths are taken relative to the CSV file."
                )
        files.append(PairFiles(listed[0], listed[1], row.get("group") or None))
    return files


def _groups(
    files: list[PairFiles], parts: Sequence[CorrelativePairs], group_by: str | None
) -> tuple[list[str], list[str]]:
    """Return the group of each file, and notes on how it was found."""
    # folders are part of the name: the same file name in two folders means two cells
    names = _relative_names([file.bright_field for file in files])
    notes: list[str] = []
    if group_by is not None:
        found = [group_of(name, group_by) for name in names]
    else:
        found = list(guess_groups(names))
        if len(files) > 1 and len(set(found)) == 1 and all(len(part) > 1 for part in parts):
            found = list(groups_of_stacks(names, [part.fluorescence for part in parts]))
            notes = [
                f"The names tell no cells apart: stacks that do not look alike count as cells of "
                f"their own, {len(set(found))} in all. If several show one cell, give a grouping "
                "pattern."
            ]
    return [file.group or group for file, group in zip(files, found, strict=True)], notes


def _joined(parts: Sequence[CorrelativePairs], groups: Sequence[str]) -> CorrelativePairs:
    """Return the pairs of all files as one, each file with its group."""
    sizes = {part.pixel_size_um for part in parts if part.pixel_size_um is not None}
    if sizes and max(sizes) > 1.02 * min(sizes):
        raise InputError(
            f"The images have different pixel sizes ({min(sizes):g} to {max(sizes):g} µm). "
            "Resample them to one, or state the true pixel size."
        )
    return CorrelativePairs(
        bright_field=tuple(image for part in parts for image in part.bright_field),
        fluorescence=tuple(image for part in parts for image in part.fluorescence),
        names=tuple(name for part in parts for name in part.names),
        groups=tuple(group for part, group in zip(parts, groups, strict=True) for _ in part.names),
        movies=tuple(movie for part in parts for movie in part.movies),
        pixel_size_um=next(iter(sorted(sizes)), None),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )
