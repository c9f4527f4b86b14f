"""Preferences > Virtual staining, shared by all docks.

napari 0.9 and newer show and store these; with an older napari, or when the plugin is
used without its manifest, the defaults hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...folders import cache_folder

PLUGIN = "napari-virtualstain"
# what a dock offers; None leaves it to the preferences
DEVICES_TO_TRAIN = [
    ("as in Preferences", None),
    ("automatic", "auto"),
    ("processor", "cpu"),
    ("graphics card", "cuda"),
    ("Apple graphics", "mps"),
]
_OPENVINO = [("processor (OpenVINO)", "openvino")] if find_spec("openvino") else []
DEVICES = [*DEVICES_TO_TRAIN, *_OPENVINO]


@dataclass(frozen=True, slots=True)
class Preferences:
    """Preferences of the plugin.

    Attributes
    ----------
    device : str
        ``auto``, ``cpu``, ``openvino``, ``cuda`` or ``mps``.
    threads : int
        Processor threads that a step may use; 0 leaves one core to the viewer.
    cache_folder : pathlib.Path
        Where large results live while napari runs.
    memory_limit_gib : float
        Largest result that is held in memory.
    """

    device: str = "auto"
    threads: int = 0
    cache_folder: Path = Path()
    memory_limit_gib: float = 1.0

    @property
    def device_to_train(self) -> str:
        """The device, or the processor by torch, for OpenVINO does not train."""
        return "cpu" if self.device == "openvino" else self.device


def preferences() -> Preferences:
    """Return the preferences of the moment."""
    default = cache_folder()
    try:
        from napari.settings import get_plugin_settings

        computing = get_plugin_settings(PLUGIN).computing
        return Preferences(
            device=str(computing.device),
            threads=int(computing.threads),
            cache_folder=Path(computing.cache_folder) if computing.cache_folder else default,
            memory_limit_gib=float(computing.memory_limit_gib),
        )
    except (ImportError, KeyError, AttributeError):
        return Preferences(cache_folder=default)
