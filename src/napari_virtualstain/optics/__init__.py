"""Point spread functions, transfer functions, deconvolution and weight maps."""

from __future__ import annotations

from .background import Background, subtract_background
from .cache import WeightMapCache
from .deconvolution import richardson_lucy
from .gibson_lanni import GibsonLanni, gibson_lanni_psf
from .weak_object import BrightFieldOptics, weak_object_transfer
from .weights import WeightKind, weight_map

__all__ = [
    "Background",
    "BrightFieldOptics",
    "GibsonLanni",
    "WeightKind",
    "WeightMapCache",
    "gibson_lanni_psf",
    "richardson_lucy",
    "subtract_background",
    "weak_object_transfer",
    "weight_map",
]
