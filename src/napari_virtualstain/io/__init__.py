"""Reading and writing images, lazily and atomically."""

from __future__ import annotations

from .folder import image_paths
from .image import write_image
from .opening import open_stack, plain_name
from .output import atomic_path, check_output, remove
from .plane_writer import PlaneWriter, open_plane_writer
from .sniff import missing_file_error
from .stack import Stack
from .tables import write_table, write_text_atomically

__all__ = [
    "PlaneWriter",
    "Stack",
    "atomic_path",
    "check_output",
    "image_paths",
    "missing_file_error",
    "open_plane_writer",
    "open_stack",
    "plain_name",
    "remove",
    "write_image",
    "write_table",
    "write_text_atomically",
]
