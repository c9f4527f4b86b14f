"""Simulated correlative movies of mitochondria, with truth."""

from __future__ import annotations

from .config import Camera, Cell, Microscope, Mitochondria, Motion, SceneConfig
from .scene import Scene
from .simulate import simulate
from .stills import Still, simulate_frames

__all__ = [
    "Camera",
    "Cell",
    "Microscope",
    "Mitochondria",
    "Motion",
    "Scene",
    "SceneConfig",
    "Still",
    "simulate",
    "simulate_frames",
]
