"""Reading and writing images, lazily and atomically."""

from __future__ import annotations

from .limits import MAX_PLANES, check_extent
from .memory import free_memory
from .opening import open_stack, plain_name
from .output import (
    atomic_path,
    check_distinct,
    check_output,
    free_path,
    has_begun,
    no_empty_folders,
    remove,
    remove_leftovers,
    unwritten_outputs,
    write_bytes_atomically,
)
from .readers.folder import image_paths
from .readers.ngff import is_inside
from .readers.sniff import check_is_file, missing_file_error
from .stack import Stack
from .tables import read_table, write_table, write_text_atomically
from .units import micrometres, seconds
from .writers.image import write_image
from .writers.plane_store import image_format
from .writers.plane_writer import PlaneWriter, open_plane_writer, open_writer_like

__all__ = [
    "MAX_PLANES",
    "PlaneWriter",
    "Stack",
    "atomic_path",
    "check_distinct",
    "check_extent",
    "check_is_file",
    "check_output",
    "free_memory",
    "free_path",
    "has_begun",
    "image_format",
    "image_paths",
    "is_inside",
    "micrometres",
    "missing_file_error",
    "no_empty_folders",
    "open_plane_writer",
    "open_stack",
    "open_writer_like",
    "plain_name",
    "read_table",
    "remove",
    "remove_leftovers",
    "seconds",
    "unwritten_outputs",
    "write_bytes_atomically",
    "write_image",
    "write_table",
    "write_text_atomically",
]
