"""Layers: their geometry, names, provenance and insertion into the viewer."""
