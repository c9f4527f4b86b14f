"""Opening a TIFF whose chain of pages ends.

Each page of a TIFF says where the next one is. A damaged offset can lead back to a page that was
passed; tifffile follows such a chain without end where it asks for one page after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tifffile

from ...errors import ImageFileError
from ..limits import MAX_PLANES

_MAX_TAGS = 4096  # of a page; tifffile ends the chain at more
_CLASSIC_BYTES = 2**32  # offsets of a longer file that is no BigTIFF are not to be trusted


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file after its chain of pages was followed to the end.

    Raises
    ------
    ImageFileError
        The chain leads back to a page that was passed, or has more than two million pages.
    """
    with tifffile.TiffFile(path) as file:
        _check_chain(path, file)
        yield file


def _check_chain(path: Path, file: tifffile.TiffFile) -> None:
    if not file.is_bigtiff and file.filehandle.size >= _CLASSIC_BYTES:
        return
    passed: set[int] = set()
    for offset in _page_offsets(file):
        if offset in passed or len(passed) == MAX_PLANES:
            reason = (
                f"its page {len(passed)} leads back to an earlier one"
                if offset in passed
                else f"it has more than {MAX_PLANES:,} pages"
            )
            raise ImageFileError(
                f"{path} is damaged: {reason}. Expected a complete TIFF file; copy it again from "
                "its source."
            )
        passed.add(offset)


def _page_offsets(file: tifffile.TiffFile) -> Iterator[int]:
    """Yield where each page begins, in the order of the chain, as far as it can be followed."""
    handle, layout = file.filehandle, file.tiff
    offset = file.pages.first.offset
    while 0 < offset < handle.size:
        yield offset
        try:
            handle.seek(offset)
            (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
            if tags > _MAX_TAGS:
                return
            handle.seek(tags * layout.tagsize, 1)
            (offset,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
        except (struct.error, OSError):
            return
