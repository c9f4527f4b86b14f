"""Make the file behind the sample `Simulated correlative time-lapse`.

    python recipes/simulated_sample.py

Simulating takes some seconds, in which napari would stand still; the file opens at once.
"""

from __future__ import annotations

import numpy as np

from napari_virtualstain import simulate
from napari_virtualstain.plugin.contributions.samples import SAMPLE, SCENE


def main() -> None:
    """Simulate the scene and write it."""
    scene = simulate(**SCENE)
    np.savez_compressed(
        SAMPLE,
        bright_field=scene.bright_field,
        fluorescence=scene.fluorescence,
        labels=scene.labels.astype(np.uint16),
        pixel_size_um=scene.pixel_size_um,
        frame_interval_s=scene.frame_interval_s,
    )
    print(f"{SAMPLE.name}: {SAMPLE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
