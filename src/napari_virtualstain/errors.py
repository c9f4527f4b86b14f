"""The errors a user can meet, one family.

Every message says what was given, what was expected, and what to do. Each class
also inherits the builtin that a programmer would catch for it. The command line
turns any :class:`VirtualStainError` into one plain line and exit code 2; the docks
show it inline.
"""

from __future__ import annotations


class VirtualStainError(Exception):
    """Base of every error that napari-virtualstain raises on purpose."""


class InputError(VirtualStainError, ValueError):
    """The data or a setting that the user gave cannot be used."""


class AxesError(InputError):
    """The axes of an image are missing, wrong or ambiguous."""


class ImageFileError(VirtualStainError, OSError):
    """An image file is missing, truncated, of an unknown format or unreadable."""


class OutputError(VirtualStainError, OSError):
    """The output cannot be written: folder read-only, disk full, name impossible."""


class OutputExistsError(OutputError, FileExistsError):
    """The output is there already and overwriting was not asked for."""


class ModelError(VirtualStainError, ValueError):
    """A model file is unknown, foreign, corrupt, or of the wrong kind."""


class DeviceError(VirtualStainError):
    """The device asked for is absent, or its memory does not suffice."""


class TrainingError(VirtualStainError):
    """Training cannot start, or stopped because its numbers became meaningless."""


class CancelledError(VirtualStainError):
    """The user cancelled; what was complete by then has been kept."""
