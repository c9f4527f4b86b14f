"""Correlative movies of mitochondria with exact truth."""
