"""A generator, a segmenter and a tracker for napari-virtualstain."""
