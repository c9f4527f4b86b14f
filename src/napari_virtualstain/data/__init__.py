"""Correlative pairs, normalisation, crops and splits."""

from .normalisation import FittedNormalisation, Normalisation, NormalisationKind

__all__ = ["FittedNormalisation", "Normalisation", "NormalisationKind"]
