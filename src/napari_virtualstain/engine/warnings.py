"""Warnings that staining can give: the result is sane, but something was assumed."""

from __future__ import annotations


class StainingWarning(UserWarning):
    """Base of the warnings of this room."""


class AssumedPixelSizeWarning(StainingWarning):
    """Warning that the pixel size of the model was assumed, because none was given."""


class NonFiniteWarning(StainingWarning):
    """Warning that NaN or infinite pixels were replaced by their finite neighbours."""


class MissingPlanesWarning(StainingWarning):
    """Warning that the model reads neighbouring planes that the image does not have."""


class ReducedResourcesWarning(StainingWarning):
    """Warning that a smaller tile or another device was used, because memory ran out."""
