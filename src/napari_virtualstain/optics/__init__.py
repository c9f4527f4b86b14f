"""Point spread functions, transfer functions, deconvolution and weight maps."""

from __future__ import annotations

from .gibson_lanni import GibsonLanni, gibson_lanni_psf
from .weak_object import BrightFieldOptics, weak_object_transfer

__all__ = [
    "BrightFieldOptics",
    "GibsonLanni",
    "gibson_lanni_psf",
    "weak_object_transfer",
]
