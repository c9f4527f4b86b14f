"""Arrays that results are written into while they are already on screen.

Small ones live in memory, large ones in a file of the cache folder that the operating
system pages in and out, so that a long movie never fills the memory. Such a file is
sparse: frames that were not computed cost nothing.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import OutputError

GIB = 2**30


def allocate(
    shape: Sequence[int], dtype: npt.DTypeLike, *, folder: Path, memory_limit_gib: float
) -> np.ndarray:
    """Return an array of zeros, in memory or, when it is large, in a file of `folder`.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array.
    dtype : dtype
        Its type.
    folder : pathlib.Path
        Cache folder; the file in it is removed with the array.
    memory_limit_gib : float
        Largest array that stays in memory, GiB.

    Raises
    ------
    OutputError
        The folder cannot be written, or its disk has not enough room.

    Examples
    --------
    >>> allocate((2, 3), np.float32, folder=Path("."), memory_limit_gib=1.0).sum()
    np.float32(0.0)
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= memory_limit_gib * GIB:
        return np.zeros(tuple(shape), dtype)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < size:
            raise OutputError(
                f"The result takes {size / GIB:.1f} GiB, and the cache folder {folder} has "
                f"{free / GIB:.1f} GiB free. Free some, choose another cache folder in "
                "Preferences > Virtual staining, or stain fewer frames."
            )
        if sys.platform == "win32":  # where a mapped file outlives its array; open ones stay
            for left in folder.glob("virtualstain-*"):
                shutil.rmtree(left, ignore_errors=True)
        home = Path(tempfile.mkdtemp(prefix="virtualstain-", dir=folder))
        array = np.lib.format.open_memmap(
            home / "result.npy", mode="w+", dtype=np.dtype(dtype), shape=tuple(shape)
        )
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"The cache folder {folder} cannot be written ({error.strerror or error}). "
            "Choose another in Preferences > Virtual staining."
        ) from error
    weakref.finalize(array, shutil.rmtree, home, ignore_errors=True)
    return array
