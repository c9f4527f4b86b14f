"""File type detection by content, because names can be wrong."""

from __future__ import annotations

import difflib
import re
import stat
from pathlib import Path

from ...errors import ImageFileError

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_DELTAVISION = (b"\xa0\xc0", b"\xc0\xa0")  # -16224 at byte 96, either byte order
_FOREIGN = {
    b"\xda\xce\xbe\x0a": "a Nikon ND2 file",
    b"ZISRAWFILE": "a Zeiss CZI file",
    b"\x70\x00\x00\x00": "a Leica LIF file",
    b"\x89HDF": "an HDF5 or Imaris file",
    b"\x93NUMPY": "a NumPy array",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"RIFF": "an AVI or WebP file",
    b"PK\x03\x04": "a ZIP archive",
    b"%PDF": "a PDF document",
}
KNOWN = "TIFF, OME-TIFF, DeltaVision .dv, OME-Zarr, PNG, JPEG, or a folder of frames"


def file_kind(path: Path) -> str:
    """Return the kind of a file from its first bytes.

    One of ``tiff``, ``png``, ``jpeg``, ``companion`` and ``deltavision``.

    Raises
    ------
    ImageFileError
        Empty, unreadable or of another format.
    """
    try:
        check_is_file(path)
        with path.open("rb") as file:
            head = file.read(1024)
    except ImageFileError:
        raise
    except OSError as error:
        raise ImageFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not head:
        raise ImageFileError(f"{path} is empty (0 bytes). Copy it again from its source.")
    if head[:4] in _TIFF:
        return "tiff"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if b"<OME" in head and head.lstrip(b"\xef\xbb\xbf \r\n")[:1] == b"<":
        return "companion"
    if head[96:98] in _DELTAVISION:
        return "deltavision"
    raise ImageFileError(f"{path} is {_foreign_name(head)}: expected {KNOWN}. {_ADVICE}")


def check_is_file(path: Path) -> None:
    """Refuse pipes, sockets and devices, which would be waited for.

    Raises
    ------
    ImageFileError
        It is one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     check_is_file(Path(file.name))
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ImageFileError(
            f"{path} is a pipe, socket or device: expected a file or folder on a disk. "
            "Save the data to a file first."
        )


_ADVICE = "Convert it to OME-TIFF, for instance with Fiji (File > Save As > OME-TIFF)."


def _foreign_name(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "an MP4 video"
    names = (name for mark, name in _FOREIGN.items() if head.startswith(mark))
    return next(names, "of a format that is not known here, or truncated")


def missing_file_error(path: Path) -> ImageFileError:
    """Return the error for a missing path, with the most similar name there is.

    Examples
    --------
    >>> str(missing_file_error(Path("nowhere") / "movie.tif"))
    'nowhere/movie.tif does not exist, nor does its folder. Check the path.'
    """
    if match := re.match(r"([a-z][a-z0-9+.-]+):/", str(path), re.IGNORECASE):
        return ImageFileError(
            f"{path} is an address ({match[1]}): expected a file or folder on this computer. "
            "Download it, or mount it as a folder."
        )
    if path.is_symlink():
        return ImageFileError(f"{path} is a link to {path.readlink()}, which does not exist.")
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ImageFileError(f"{path} does not exist, nor does its folder. Check the path.")
    close = difflib.get_close_matches(path.name, names, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Check the path."
    return ImageFileError(f"{path} does not exist. {hint}")
