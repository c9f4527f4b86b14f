"""Simulated correlative movies of mitochondria, with truth."""

from __future__ import annotations

from .likeness import LikePairs, checked_microscope, simulate_like
from .scene import Scene
from .scene_config import Camera, Cell, Microscope, Mitochondria, Motion, SceneConfig
from .simulate import simulate
from .stills import Still, simulate_frames

__all__ = [
    "Camera",
    "Cell",
    "LikePairs",
    "Microscope",
    "Mitochondria",
    "Motion",
    "Scene",
    "SceneConfig",
    "Still",
    "checked_microscope",
    "simulate",
    "simulate_frames",
    "simulate_like",
]
