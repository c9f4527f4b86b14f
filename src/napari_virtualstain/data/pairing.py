"""Collecting correlative pairs from folders, patterns, CSV files and stacks."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..progress import CancelToken, ProgressCallback, Reporter
from .correlative_pairs import CorrelativePairs, check_shapes
from .grouping import group_of, guess_groups
from .name_matching import match_names, stem

if TYPE_CHECKING:
    from ..io import Stack

Source: TypeAlias = str | Path | Sequence[str | Path]
Channel: TypeAlias = int | str | None
_MIDDLE_NOTE = (
    "Bright-field stacks with one fluorescence image each: the middle plane counts as its plane."
)
_SUFFIXES = {
    ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".dv", ".zarr", ".npy", ".nd2", ".czi",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Two files that belong together, with a group when the list gave one."""

    bright_field: Path
    fluorescence: Path
    group: str | None = None


def match_pairs(
    bright_field: Source,
    fluorescence: Source | None = None,
    *,
    group_by: str | None = None,
    bright_field_channel: Channel = None,
    fluorescence_channel: Channel = None,
    axes: str | None = None,
    pixel_size_um: float | None = None,
    planes: int = 1,
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
    planes, plane_axis, plane_step : int, str, int
        Bright-field planes read for one target; see :class:`Inputs` of the models.
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
    groups = _groups(files, group_by)
    opener = _Opener(
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
    for file, group in zip(files, groups, strict=True):
        reporter.check()
        parts.append(opener.read(file, group))
        reporter.advance()
    pairs = _joined(parts).with_notes(*notes)
    check_shapes(pairs)
    return pairs


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
            "ignored (unmatched='ignore')."
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
    path = Path(given).expanduser()
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
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The list of pairs {str(path)!r} cannot be read ({error}).") from error
    columns = set(rows[0]) if rows else set()
    if not {"bright_field", "fluorescence"} <= columns:
        raise InputError(
            f"{path.name} has columns {sorted(map(str, columns)) or 'none'}; expected a header "
            "with bright_field, fluorescence and, if wanted, group, and one row a pair."
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


def _groups(files: list[PairFiles], group_by: str | None) -> list[str]:
    # folders are part of the name: the same file name in two folders means two cells
    names = _relative_names([file.bright_field for file in files])
    if group_by is not None:
        found = [group_of(name, group_by) for name in names]
    else:
        found = list(guess_groups(names))
    return [file.group or group for file, group in zip(files, found, strict=True)]


@dataclass(frozen=True, slots=True)
class _Opener:
    """Reads one pair of files into pairs of planes."""

    axes: str | None
    pixel_size_um: float | None
    bright_field_channel: Channel
    fluorescence_channel: Channel
    planes: int
    plane_axis: Literal["t", "z"]
    plane_step: int

    def read(self, file: PairFiles, group: str) -> CorrelativePairs:
        first, second = self._stacks(file)
        inputs, axes = _planes_first(first)
        targets, target_axes = _planes_first(second)
        indices = list(np.ndindex(inputs.shape[:-2]))
        is_one_of_stack = axes == f"{target_axes}z" and inputs.shape[-2:] == targets.shape[-2:]
        if is_one_of_stack and inputs.shape[:-3] == targets.shape[:-2]:
            middle = inputs.shape[-3] // 2
            indices = [index for index in indices if index[-1] == middle]
            targets, target_axes = np.broadcast_to(targets[..., None, :, :], inputs.shape), axes
        if inputs.shape != targets.shape or axes != target_axes:
            raise InputError(
                f"{file.bright_field.name} has {_described(inputs, axes)} and "
                f"{file.fluorescence.name} {_described(targets, target_axes)}. Both images of a "
                "pair must have the same frames, planes and size."
            )
        name = stem(file.bright_field.name)
        return CorrelativePairs(
            bright_field=tuple(self._neighbours(inputs, axes, index) for index in indices),
            fluorescence=tuple(targets[index] for index in indices),
            names=tuple(_plane_name(name, axes, index) for index in indices),
            groups=(group,) * len(indices),
            movies=(str(file.bright_field),) * len(indices),
            pixel_size_um=self.pixel_size_um or first.pixel_size_um,
            notes=(_MIDDLE_NOTE,) if is_one_of_stack else (),
        )

    def _stacks(self, file: PairFiles) -> tuple[Stack, Stack]:
        from ..io import open_stack

        if file.bright_field == file.fluorescence:
            both = open_stack(file.bright_field, axes=self.axes)
            if "c" not in both.axes:
                raise InputError(
                    f"{file.bright_field.name} has one channel. Give the fluorescence images "
                    "too, or files with a bright-field and a fluorescence channel."
                )
            return (
                both.select_channel(_or(self.bright_field_channel, 0)),
                both.select_channel(_or(self.fluorescence_channel, 1)),
            )
        return (
            _one_channel(open_stack(file.bright_field, axes=self.axes), self.bright_field_channel),
            _one_channel(open_stack(file.fluorescence, axes=self.axes), self.fluorescence_channel),
        )

    def _neighbours(
        self, images: NDArray[np.generic], axes: str, index: tuple[int, ...]
    ) -> NDArray[np.generic]:
        """Return the planes around `index` along the plane axis, (P, Y, X)."""
        if self.planes == 1:
            return np.stack([images[index]])
        if self.plane_axis not in axes:
            raise InputError(
                f"{self.planes} planes along {self.plane_axis} were asked for, but the images have "
                f"axes {axes!r}. Give stacks with that axis, or ask for one plane."
            )
        along = axes.index(self.plane_axis)
        last = images.shape[along] - 1
        half = self.planes // 2
        chosen = []
        for offset in range(-half, half + 1):
            place = list(index)
            place[along] = min(max(place[along] + offset * self.plane_step, 0), last)
            chosen.append(images[tuple(place)])
        return np.stack(chosen)


def _or(channel: Channel, default: int) -> int | str:
    return default if channel is None else channel


def _one_channel(stack: Stack, channel: Channel) -> Stack:
    if "c" not in stack.axes:
        return stack
    if channel is None:
        raise InputError(
            f"{stack.name!r} has several channels ({', '.join(map(str, stack.channel_names))}). "
            "Say which one to use by its number or name."
        )
    return stack.select_channel(channel)


def _planes_first(stack: Stack) -> tuple[NDArray[np.generic], str]:
    """Return the images of a stack in memory, and its axes in front of y and x."""
    return np.asarray(stack.data), stack.axes[:-2]


def _described(images: NDArray[np.generic], axes: str) -> str:
    sizes = [f"{axis}={n}" for axis, n in zip(axes, images.shape, strict=False)]
    return " ".join([*sizes, f"{images.shape[-2]} x {images.shape[-1]} pixels"])


def _plane_name(name: str, axes: str, index: tuple[int, ...]) -> str:
    return name + "".join(f"_{axis}{i:03d}" for axis, i in zip(axes, index, strict=True))


def _joined(parts: Sequence[CorrelativePairs]) -> CorrelativePairs:
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
        groups=tuple(group for part in parts for group in part.groups),
        movies=tuple(movie for part in parts for movie in part.movies),
        pixel_size_um=next(iter(sorted(sizes)), None),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )
