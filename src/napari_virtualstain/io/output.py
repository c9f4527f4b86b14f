"""Output that is either whole or not there.

Everything is written under another name in the same folder and renamed when complete:
a reader never sees half a file, and a failure leaves what was there before.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from ..errors import InputError, OutputError, OutputExistsError, shown

PARTIAL_SUFFIX = ".partial"
JOURNAL_SUFFIX = ".journal"
_OLD_SUFFIX = ".old"

_IN_USE = 32  # ERROR_SHARING_VIOLATION of Windows
_REASONS = {
    errno.ENOSPC: "the disk is full. Free some space or choose another disk",
    errno.EDQUOT: "your disk quota is used up. Free some space or choose another disk",
    errno.EROFS: "the disk is read-only. Choose another folder",
    errno.EACCES: "you may not write there. Choose another folder or change its permissions",
    errno.EPERM: "you may not write there. Choose another folder or change its permissions",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
    errno.ENOTDIR: "a part of the path is a file, not a folder. Choose another path",
    errno.EISDIR: "there is a folder of that name. Choose another name",
}


def check_output(path: str | Path, *, overwrite: bool) -> Path:
    """Return `path` after making sure that it may be written, before any work starts.

    Its folder is made if need be.

    Parameters
    ----------
    path : str or Path
        File or OME-Zarr folder to be written.
    overwrite : bool
        Whether an existing one may be replaced.

    Raises
    ------
    OutputExistsError
        It is there and `overwrite` is False.
    OutputError
        The folder cannot be made or written, the name is impossible or begins with ``~``, or a
        folder with other files is there.

    Examples
    --------
    >>> import tempfile
    >>> check_output(Path(tempfile.mkdtemp()) / "new" / "out.csv", overwrite=False).name
    'out.csv'
    """
    path = Path(path)
    if "\0" in str(path):
        raise OutputError(f"{str(path)!r} is no usable name: it holds a null character.")
    first, *rest = path.parts or (".",)
    if first.startswith("~") and rest and not Path(first).exists():
        raise OutputError(
            f"{shown(path)} begins with the home folder of a user, which was not replaced here or "
            "is not known. Give the folder by its path."
        )
    with translated_errors(path):
        _make_folder(path.parent)
        remove_leftovers(path)
        if path.exists() and not overwrite:
            raise OutputExistsError(
                f"{path} exists already. Choose another name, or allow replacing it (--overwrite)."
            )
        if path.is_dir() and not is_replaceable(path):
            raise OutputError(
                f"{path} is a folder with files that are no earlier result: it is not replaced. "
                "Choose another name."
            )
        # os.access says yes to root on a read-only disk; only writing tells
        probe = _hidden_name(path, PARTIAL_SUFFIX)
        probe.touch()
        probe.unlink()
        path.with_name(path.name + PARTIAL_SUFFIX).exists()  # raises when too long
    return path


def free_path(path: Path, is_taken: Callable[[Path], bool] = Path.exists) -> Path:
    """Return `path`, or with a number before its suffix where that is taken.

    Parameters
    ----------
    path : Path
        Wanted.
    is_taken : callable
        Whether a path is taken; where one result is several files, whether any of these is.

    Examples
    --------
    >>> import tempfile
    >>> wanted = Path(tempfile.mkdtemp()) / "figure.png"
    >>> wanted.touch()
    >>> free_path(wanted).name
    'figure-2.png'
    """
    free, number = path, 2
    while is_taken(free):
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return free


def remove_leftovers(path: Path) -> None:
    """Remove what killed runs left beside an output and no run can take up.

    Those are hidden files of processes that are no longer there, and the journal of an image that
    was complete. What a run of this machine is still writing stays.

    Examples
    --------
    >>> import tempfile
    >>> whole = Path(tempfile.mkdtemp()) / "a.tif"
    >>> for path in (whole, journal := whole.with_name("a.tif.partial.journal")):
    ...     path.touch()
    >>> remove_leftovers(whole)
    >>> whole.exists(), journal.exists()
    (True, False)
    """
    if not path.name:
        return
    journal = path.with_name(path.name + PARTIAL_SUFFIX + JOURNAL_SUFFIX)
    if path.exists() and not path.with_name(path.name + PARTIAL_SUFFIX).exists():
        remove(journal)
    start = f".{_mark(path.name)}-{_machine()}-"
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(start)]
    for name in names:
        process, _, rest = name.removeprefix(start).partition("-")
        # the old result is removed only once there is a new one
        is_old = rest.endswith(_OLD_SUFFIX) and not path.exists()
        if process.isdecimal() and not is_old and not _is_running(int(process)):
            remove(path.with_name(name))


def _hidden_name(path: Path, suffix: str) -> Path:
    """Return an unused name beside `path` that says whose output and which process's it is."""
    unique = uuid.uuid4().hex[:8]
    return path.with_name(f".{_mark(path.name)}-{_machine()}-{os.getpid()}-{unique}{suffix}")


def _mark(text: str) -> str:
    return f"{zlib.crc32(text.encode(errors='surrogateescape')):08x}"


def _machine() -> str:
    """Return a mark of the machine, or of the container in it, whose process numbers are ours."""
    space = Path("/proc/self/ns/pid")
    return _mark(f"{platform.node()}{space.stat().st_ino if space.exists() else ''}")


def _is_running(process: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(process))


def is_replaceable(folder: Path) -> bool:
    """Return whether a folder is empty or a result as a whole, so that no other file is lost.

    Results that are folders are Zarr and GEFF, sessions, and masks of the Cell Tracking Challenge.
    """
    names = [entry.name for entry in folder.iterdir()]
    return not _MARKS.isdisjoint(names) or all(map(_CTC_NAME.fullmatch, names))


_MARKS = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray", "session.json"})
_CTC_NAME = re.compile(r"mask\d+\.tif|res_track\.txt")

_made: ContextVar[list[Path] | None] = ContextVar("made", default=None)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, and remember them for :func:`no_empty_folders`."""
    made = _made.get()
    if made is not None:
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        made.extend(missing)
    folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def no_empty_folders() -> Iterator[None]:
    """Remove the folders that were made for output in the block, if it fails and they are empty.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "new"
    >>> with suppress(ValueError), no_empty_folders():
    ...     _ = check_output(place / "a.csv", overwrite=False)
    ...     raise ValueError("the input is refused")
    >>> place.exists()
    False
    """
    made: list[Path] = []
    token = _made.set(made)
    try:
        yield
    except BaseException:
        for folder in sorted(set(made), key=lambda place: len(place.parts), reverse=True):
            with suppress(OSError):
                folder.rmdir()  # only an empty one
        raise
    finally:
        _made.reset(token)


def check_distinct(*outputs: str | Path | None) -> None:
    """Refuse two outputs that are one file.

    Raises
    ------
    InputError
        Two of them are, also by way of links or ``..``.

    Examples
    --------
    >>> check_distinct("stain.ome.tif", "uncertainty.ome.tif", None)
    """
    given = [Path(output) for output in outputs if output is not None]
    for i, one in enumerate(given):
        for other in given[:i]:
            if one == other or os.path.realpath(one) == os.path.realpath(other):
                raise InputError(
                    f"{shown(one)} is given for two outputs: expected a name of its own for each."
                )


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into :class:`OutputError` with advice."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise output_error(path, error) from error


def output_error(path: Path, error: OSError) -> OutputError:
    """Return the :class:`OutputError` that says why `path` cannot be written."""
    reason = _REASONS.get(error.errno or 0, f"{error.strerror or error}. Choose another path")
    if getattr(error, "winerror", None) == _IN_USE:
        reason = "another program or a napari layer has it open. Close it there first"
    return OutputError(f"{shown(path)} cannot be written: {reason}.")


@contextmanager
def atomic_path(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a path to write to; it becomes `path` if the block ends without an error.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> with atomic_path(file, overwrite=False) as place:
    ...     _ = place.write_text("whole or not at all")
    >>> file.read_text()
    'whole or not at all'
    """
    check_output(path, overwrite=overwrite)
    temporary = _hidden_name(path, PARTIAL_SUFFIX)
    try:
        with translated_errors(path):
            yield temporary
            move_into_place(temporary, path, overwrite=overwrite)
    finally:
        remove(temporary)


def write_bytes_atomically(path: str | Path, content: bytes, *, overwrite: bool = True) -> Path:
    """Write bytes, on the disk when this returns, and return their path.

    Raises
    ------
    OutputExistsError, OutputError
        See :func:`check_output`.

    Examples
    --------
    >>> import tempfile
    >>> write_bytes_atomically(Path(tempfile.mkdtemp()) / "a.bin", b"1").read_bytes()
    b'1'
    """
    target = Path(path)
    with atomic_path(target, overwrite=overwrite) as temporary, temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        file.close()  # an open file cannot be renamed on every system
    return target


def move_into_place(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Rename a complete file or folder to its final name, replacing what may be replaced."""
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"{path} appeared while it was being written; the new result was not put in its place."
        )
    if not path.is_dir():
        if temporary.is_dir() and path.exists():
            path.unlink()
        os.replace(temporary, path)
        return
    if not temporary.is_dir():
        raise OutputError(f"{path} cannot be written: {_REASONS[errno.EISDIR]}.")
    # a folder cannot be replaced in one step: move the old one aside first
    old = _hidden_name(path, _OLD_SUFFIX)
    os.replace(path, old)
    try:
        os.replace(temporary, path)
    except OSError:
        os.replace(old, path)
        raise
    remove(old)


def has_begun(path: Path) -> bool:
    """Return whether an interrupted run left an unfinished image that can be resumed.

    Examples
    --------
    >>> has_begun(Path("an-image-that-is-not-there.ome.tif"))
    False
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    return partial.exists() and partial.with_name(partial.name + JOURNAL_SUFFIX).exists()


def unwritten_outputs(
    image: str | Path, beside: str | Path | None, *, resume: bool, overwrite: bool
) -> list[Path]:
    """Return which of an image and the one written beside it are still to be written.

    Both are renamed when all planes are there, the one beside it first. A run that was killed
    between the two left only the image to be resumed.

    Examples
    --------
    >>> [p.name for p in unwritten_outputs("a.tif", "b.tif", resume=False, overwrite=False)]
    ['a.tif', 'b.tif']
    """
    if beside is None:
        return [Path(image)]
    image, beside = Path(image), Path(beside)
    is_half_renamed = has_begun(image) and beside.exists() and not has_begun(beside)
    return [image] if resume and not overwrite and is_half_renamed else [image, beside]


def remove(path: Path) -> None:
    """Delete a file or folder if it is there.

    Examples
    --------
    >>> remove(Path("a-file-that-is-not-there"))
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def check_free_space(path: Path, nbytes: int) -> None:
    """Refuse to start what cannot fit on the disk of `path`.

    Raises
    ------
    OutputError
        Fewer than `nbytes` bytes are free.
    """
    free = shutil.disk_usage(path.parent).free
    if nbytes > free:
        raise OutputError(
            f"{path} needs {nbytes / 1e6:,.1f} MB but the disk has {free / 1e6:,.1f} MB free. "
            "Free some space or choose another disk."
        )
