"""Readers, writers and sample data that napari registers."""
