"""Tables and text: written whole or not at all, read in the dialects that programs write."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImageFileError, InputError, reading, shown
from .output import atomic_path
from .readers.sniff import check_is_file, missing_file_error

if TYPE_CHECKING:
    import pandas as pd


def write_text_atomically(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write text in UTF-8 and return its path.

    Parameters
    ----------
    path : str or Path
        File to write; its folder is made if need be.
    text : str
        Content.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, OutputError
        See :func:`check_output`.

    Examples
    --------
    >>> import tempfile
    >>> file = write_text_atomically(Path(tempfile.mkdtemp()) / "note.txt", "µm")
    >>> file.read_text(encoding="utf-8")
    'µm'
    """
    path = Path(path)
    with (
        atomic_path(path, overwrite=overwrite) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return path


def write_table(path: str | Path, frame: pd.DataFrame, *, overwrite: bool = False) -> Path:
    r"""Write a table as CSV without its index and return its path.

    Numbers are written so that reading them gives the same numbers. A text that a spreadsheet
    would take for a formula (``=HYPERLINK(...)``) has an apostrophe before it, which
    :func:`read_table` removes.

    Parameters
    ----------
    path : str or Path
        CSV file to write; its folder is made if need be.
    frame : DataFrame
        One row per line.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError, OutputError
        See :func:`check_output`.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> file = Path(tempfile.mkdtemp()) / "tracks.csv"
    >>> write_table(file, pd.DataFrame({"track_id": [1], "y_um": [0.1]})).read_text()
    'track_id,y_um\n1,0.1\n'
    """
    text = _guarded(frame).to_csv(index=False, lineterminator="\n")
    return write_text_atomically(path, text, overwrite=overwrite)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _guarded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which a spreadsheet finds no text or column name to run as a formula."""
    return _with_texts(frame.rename(columns=_without_formula), _without_formula)


def _with_texts(table: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """Return a table whose texts went through `change`; changed in place."""
    for place, dtype in enumerate(table.dtypes):
        column = table.iloc[:, place]
        if dtype.kind not in "biufcmM" and any(change(value) is not value for value in column):
            table.isetitem(place, [change(value) for value in column])
    return table


def _without_formula(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value  # a number with its sign


def _unguarded(value: Any) -> Any:
    is_guarded = isinstance(value, str) and value[:1] == "'" and value[1:].startswith(_FORMULA)
    return value[1:] if is_guarded else value


_MAX_TABLE_BYTES = 2**30
_MAX_COLUMNS = 2000
_LONGEST_LINE = 1_000_000
# "1,234" may also be a thousand
_QUOTED_DECIMAL = re.compile(r'"[-+]?(?![1-9]\d{0,2},\d{3}")\d+,\d+"')
_STATED_SEPARATOR = re.compile(r'"?sep=([,;\t])"?\s*', re.IGNORECASE)


def read_table(path: str | Path, expected: str, *, texts: tuple[str, ...] = ()) -> pd.DataFrame:
    r"""Return a table of comma-, semicolon- or tab-separated values, numbers exactly as written.

    Blanks around the names of columns are dropped, and names of `expected` may be in capitals.
    With semicolons, with tabs and no point, or in quotes, a comma is taken as the decimal point,
    as spreadsheets write it in many countries. Rows without any value, UTF-16 and a first line
    ``sep=;`` are theirs too.

    Parameters
    ----------
    path : str or Path
        File.
    expected : str
        The columns that it should have, for messages.
    texts : tuple of str
        Columns that are text even where they look like numbers.

    Raises
    ------
    ImageFileError
        There is no such file.
    InputError
        It is no table, or a column is there twice.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "spots.csv"
    >>> _ = file.write_text("frame; y_um\n0; 1,5\n")
    >>> read_table(file, "frame, y_um").y_um.tolist()
    [1.5]
    """
    source = Path(path)
    with reading(source, f"a table with the columns {expected}", error_class=InputError):
        _check_is_table_file(source)
        dialect = _dialect(source, expected)
        return _with_texts(_parsed(source, dialect, texts), _unguarded)


@dataclass(frozen=True, slots=True)
class _Dialect:
    """Dialect of a file of separated values."""

    encoding: str
    separator: str
    decimal: str
    names: list[str]
    lines_before_names: int


def _check_is_table_file(source: Path) -> None:
    try:
        is_there, is_folder = source.exists(), source.is_dir()
    except (OSError, ValueError) as error:
        raise ImageFileError(f"{shown(source)} is no usable path: {error}.") from error
    if not is_there:
        raise missing_file_error(source)
    if is_folder:
        raise ImageFileError(f"There is no file {source}: it is a folder. Give a CSV.")
    check_is_file(source)
    if source.stat().st_size > _MAX_TABLE_BYTES:
        raise InputError(f"{source} has more than 1 GB: expected a table of tracks.")


def _dialect(source: Path, expected: str) -> _Dialect:
    """Return the dialect of a file from its first lines; `expected` names columns."""
    encoding = _encoding(source)
    with source.open(encoding=encoding, newline="") as file:
        head = file.readline(_LONGEST_LINE)
        stated = _STATED_SEPARATOR.fullmatch(head)
        head = file.readline(_LONGEST_LINE) if stated else head
        first = file.readline(_LONGEST_LINE)
    if not head.strip():
        raise InputError(f"{source} is no table, it is empty: expected the columns {expected}.")
    separator = stated[1] if stated else max(",;\t", key=head.count)
    names = _column_names(head, separator, expected)
    _check_columns(source, names, expected)
    decimal = "," if _has_decimal_commas(first, separator) else "."
    return _Dialect(encoding, separator, decimal, names, 1 if stated else 0)


def _encoding(source: Path) -> str:
    with source.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _column_names(head: str, separator: str, expected: str) -> list[str]:
    written = (name.strip().strip('"').strip() for name in head.rstrip("\r\n").split(separator))
    wanted = {name.casefold(): name for name in expected.split(", ")}
    return [wanted.get(name.casefold(), name) for name in written]


def _check_columns(source: Path, names: list[str], expected: str) -> None:
    if {"POSITION_X", "POSITION_Y"} <= set(names):
        raise InputError(
            f"{source} is a table that TrackMate exported: expected the columns {expected}. "
            "Save the session in TrackMate (Save) and give that XML file."
        )
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice or len(names) > _MAX_COLUMNS:
        what = f"the column {twice[0]!r} twice" if twice else f"{len(names)} columns"
        raise InputError(f"{source} has {what}: expected the columns {expected}, each once.")


def _has_decimal_commas(row: str, separator: str) -> bool:
    may_have = (
        separator == ";"
        or (separator == "\t" and "," in row)
        or _QUOTED_DECIMAL.search(row) is not None
    )
    return may_have and "." not in row


def _parsed(source: Path, dialect: _Dialect, texts: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    # pandas 3.1 reads floats exactly by itself and warns when asked to
    exact: dict[str, Any] = {} if pd.__version__ >= "3.1" else {"float_precision": "round_trip"}
    names = dialect.names
    table: pd.DataFrame = pd.read_csv(
        source,
        sep=dialect.separator,
        decimal=dialect.decimal,
        dtype=dict.fromkeys(texts, str),
        encoding=dialect.encoding,
        header=0,
        skiprows=dialect.lines_before_names,
        names=names if len(set(names)) == len(names) else None,
        skipinitialspace=True,
        index_col=False,
        **exact,
    )
    return table.dropna(how="all", ignore_index=True)
