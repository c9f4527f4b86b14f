"""Warnings that staining can give: the result is sane, but something was assumed."""

from __future__ import annotations


class StainingWarning(UserWarning):
    """Base of the warnings of this room."""


class AssumedPixelSizeWarning(StainingWarning):
    """No pixel size was given, so that of the model was assumed."""


class NonFiniteWarning(StainingWarning):
    """Pixels that are NaN or infinite were replaced by their finite neighbours."""


class MissingPlanesWarning(StainingWarning):
    """The model reads neighbouring planes that the image does not have."""


class ReducedResourcesWarning(StainingWarning):
    """Memory ran out; a smaller tile or another device was used instead."""
