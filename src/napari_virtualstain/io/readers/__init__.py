"""Readers of the file formats, each of which returns a lazy `Source`."""
