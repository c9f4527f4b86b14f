"""Correlative pairs, normalisation, crops and splits."""
