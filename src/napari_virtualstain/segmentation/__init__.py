"""Mitochondria as instances, and their measures."""

from .instances import Split, split_instances
from .measures import INTENSITY_COLUMNS, SHAPE_COLUMNS, measure, summarise_frames

__all__ = [
    "INTENSITY_COLUMNS",
    "SHAPE_COLUMNS",
    "Split",
    "measure",
    "split_instances",
    "summarise_frames",
]
