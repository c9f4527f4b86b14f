"""Detections: the input of a linker, checked once and sorted by frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..axes import check_positive
from ..errors import AxesError, InputError

REQUIRED = ("frame", "y_um", "x_um")
OPTIONAL = ("height_um", "width_um", "area_um2", "intensity")
MAX_FRAMES = 2_000_000  # as many planes as an image may have
MAX_PLACE_UM = 1e7  # ten metres
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Detections:
    """Detections of a whole movie, sorted by frame; n in all.

    Attributes
    ----------
    frame : ndarray of shape (n,), int64
        Frame number, ascending.
    position_um : ndarray of shape (n, 2), float64
        y and x, micrometres.
    box_um : ndarray of shape (n, 2), float64, or None
        Height and width of the bounding box, micrometres.
    features : ndarray of shape (n, f), float64
        Appearance (area, intensity, shape) on a scale where differences mean ratios.
    feature_names : tuple of str
        Names of the columns of `features`.
    label : ndarray of shape (n,), int64
        Value in the label image; 0 where there is none.
    area_um2 : ndarray of shape (n,), float64
        Area, NaN where it is not known.
    row : ndarray of shape (n,), int64
        Row of the table that each came from.
    number : ndarray of shape (n,), int64
        Place in the sorted whole, kept by :meth:`frame_part`.
    """

    frame: IntArray
    position_um: FloatArray
    box_um: FloatArray | None
    features: FloatArray
    feature_names: tuple[str, ...]
    label: IntArray
    area_um2: FloatArray
    row: IntArray
    number: IntArray

    def __len__(self) -> int:
        return len(self.frame)

    def frame_part(self, part: slice | IntArray) -> Detections:
        """Return the detections of `part`, a slice or indices."""
        return replace(
            self,
            frame=self.frame[part],
            position_um=self.position_um[part],
            box_um=None if self.box_um is None else self.box_um[part],
            features=self.features[part],
            label=self.label[part],
            area_um2=self.area_um2[part],
            row=self.row[part],
            number=self.number[part],
        )

    def columns(self, track_ids: IntArray) -> dict[str, Any]:
        """Return the columns of a table of tracks; `track_ids` are the tracks of the detections."""
        return {
            "track_id": track_ids,
            "frame": self.frame,
            "y_um": self.position_um[:, 0],
            "x_um": self.position_um[:, 1],
            "label": self.label,
            "area_um2": self.area_um2,
            "interpolated": False,
        }

    @property
    def frame_step(self) -> int:
        """Step between frame numbers: 2 for a movie whose frames are numbered 0, 2, 4."""
        numbers = np.unique(self.frame)
        return int(np.gcd.reduce(np.diff(numbers))) if len(numbers) > 1 else 1

    def slices(self) -> list[tuple[int, slice]]:
        """Return (frame, slice into the arrays) of each frame that has detections."""
        numbers, starts = np.unique(self.frame, return_index=True)
        bounds = [*starts.tolist(), len(self.frame)]
        return [(int(n), slice(a, b)) for n, (a, b) in zip(numbers, pairwise(bounds), strict=True)]


def read_detections(table: pd.DataFrame) -> Detections:
    """Return the checked and sorted detections of a table.

    Parameters
    ----------
    table : DataFrame
        Columns ``frame y_um x_um`` and, where known, ``height_um width_um area_um2
        intensity label``; one row a detection, in any order.

    Raises
    ------
    InputError
        Not a table, a column missing, or values that are no numbers, NaN or infinite.
    AxesError
        Positions with a z column that varies.

    Examples
    --------
    >>> table = pd.DataFrame({"frame": [1, 0], "y_um": [2.0, 1.0], "x_um": [0.0, 0.0]})
    >>> read_detections(table).position_um[:, 0]
    array([1., 2.])
    """
    _check_columns(table)
    numbers = {name: _numbers(table, name) for name in REQUIRED}
    frame = _whole_frames(numbers["frame"])
    order = np.argsort(frame, kind="stable")
    position = np.column_stack([numbers["y_um"], numbers["x_um"]])[order]
    optional = {name: _numbers(table, name)[order] for name in OPTIONAL if name in table}
    label = _numbers(table, "label")[order] if "label" in table else np.zeros(len(frame))
    features, names = _features(optional, len(frame))
    box = None
    if "height_um" in optional and "width_um" in optional:
        box = np.column_stack([_filled(optional[name]) for name in ("height_um", "width_um")])
        box = box if np.isfinite(box).all() else None
    return Detections(
        frame=frame[order],
        position_um=position,
        box_um=box,
        features=features,
        feature_names=names,
        label=label.astype(np.int64),
        area_um2=optional.get("area_um2", np.full(len(frame), np.nan)),
        row=order.astype(np.int64),
        number=np.arange(len(frame)),
    )


def _check_columns(table: pd.DataFrame) -> None:
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"Detections are a {type(table).__name__}: expected a pandas DataFrame with the "
            f"columns {', '.join(REQUIRED)}."
        )
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise InputError(
            f"Detections lack the column{'s' * (len(missing) > 1)} {', '.join(missing)}; they have "
            f"{', '.join(map(str, table.columns)) or 'none'}. Give one row a detection with the "
            f"columns {', '.join(REQUIRED)} (positions in micrometres)."
        )
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(f"Detections have the column {twice[0]!r} twice: expected it once.")
    for name in ("z_um", "z"):
        if name in table and table[name].nunique(dropna=True) > 1:
            raise AxesError(
                f"Detections have a varying column {name}: tracking works in two dimensions. "
                "Project along z (for instance the maximum) or give one plane, without that column."
            )


def _numbers(table: pd.DataFrame, name: str) -> FloatArray:
    values = numbers_of(table[name])
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad) and (name in REQUIRED or name == "label"):
        rows = ", ".join(str(i) for i in bad[:5]) + (", …" if len(bad) > 5 else "")
        raise InputError(
            f"{len(bad)} of {len(values)} detections have no finite number in column {name} "
            f"(rows {rows}). Drop these rows or correct them before linking."
        )
    limit = {"frame": MAX_FRAMES, "label": 2**53}.get(name, _MAX_VALUE)
    limit = MAX_PLACE_UM if name in ("y_um", "x_um") else limit
    size = np.abs(values[np.isfinite(values)])
    if len(size) and size.max() > limit:
        raise InputError(
            f"Detections have {size.max():g} in column {name}: expected at most {limit:g}. "
            "Positions are in micrometres, frames are counted."
        )
    if name in _POSITIVE and (np.isinf(values).any() or (values < 0).any()):
        raise InputError(
            f"Detections have values from {np.nanmin(values):g} to {np.nanmax(values):g} in column "
            f"{name}: expected positive numbers, or none where it is not known."
        )
    return values


_MAX_VALUE = 1e30
_POSITIVE = ("height_um", "width_um", "area_um2")


def _whole_frames(frame: FloatArray) -> IntArray:
    if np.any(frame != np.round(frame)):
        raise InputError(
            "The column frame holds fractions: expected whole frame numbers 0, 1, 2, … . "
            "Divide times by the frame interval and round."
        )
    return frame.astype(np.int64)


def _features(optional: dict[str, FloatArray], length: int) -> tuple[FloatArray, tuple[str, ...]]:
    """Return what can tell objects apart besides their place, as logarithms."""
    columns: dict[str, FloatArray] = {}
    if "height_um" in optional and "width_um" in optional:
        columns["log_box"] = _log(optional["height_um"]) + _log(optional["width_um"])
        columns["log_aspect"] = _log(optional["height_um"]) - _log(optional["width_um"])
    if "area_um2" in optional:
        columns["log_area"] = _log(optional["area_um2"])
    if "intensity" in optional:
        columns["log_intensity"] = _log(optional["intensity"])
    stacked = np.column_stack(list(columns.values())) if columns else np.zeros((length, 0))
    return stacked, tuple(columns)


def numbers_of(column: pd.Series) -> FloatArray:
    """Return a column as floats, NaN for what is no real number.

    Raises
    ------
    InputError
        It holds numbers that no float can, or complex ones.
    """
    try:
        numbers = pd.to_numeric(column, errors="coerce")
        if not np.iscomplexobj(numbers):
            return numbers.to_numpy(np.float64, na_value=np.nan)
    except (OverflowError, TypeError, ValueError) as error:
        raise InputError(f"The column {column.name} is not usable ({error}).") from error
    raise InputError(f"The column {column.name} holds complex numbers: expected real ones.")


def _filled(values: FloatArray) -> FloatArray:
    """Return `values` with the median where they are not known; NaN where none is."""
    good = np.isfinite(values)
    return np.where(good, values, np.median(values[good]) if good.any() else np.nan)


def _log(values: FloatArray) -> FloatArray:
    """Return logarithms, with what has none replaced by the median."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values)
    good = np.isfinite(logs)
    return np.where(good, logs, np.median(logs[good]) if good.any() else 0.0)


def no_rows(columns: Iterable[str] = REQUIRED) -> pd.DataFrame:
    """Return a table of numbers without rows, of detections unless other `columns` are given."""
    return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})


def check_scale(pixel_size_um: float, frame_interval_s: float) -> None:
    """Raise a clear error unless both are positive numbers."""
    for value, name, unit in (
        (pixel_size_um, "pixel size", "µm"),
        (frame_interval_s, "frame interval", "s"),
    ):
        if check_positive(value, name, unit) is None:
            raise InputError(
                f"The {name} is None: expected a positive number of {unit}. Leave it out where it "
                "is not known; 1 is taken then."
            )


def check_search_radius(value: float | None) -> float | None:
    """Return the search radius in micrometres a frame, or None to estimate it."""
    radius = check_positive(value, "search radius", "µm")
    if radius is not None and radius > MAX_PLACE_UM:
        raise InputError(
            f"The search radius is {radius:g} µm: expected at most {MAX_PLACE_UM:g} µm. "
            "Leave it out to find it from the movie."
        )
    return radius


def check_whole(value: int, name: str, least: int = 0) -> int:
    """Return `value` if it is a whole number of at least `least`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not least <= value <= 2**31 or int(value) != value:
        raise InputError(f"{name} is {value!r}: expected a whole number of {least} or more.")
    return int(value)
