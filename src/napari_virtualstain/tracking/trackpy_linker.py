"""Linking with trackpy (Crocker and Grier), behind the same interface."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import InputError
from .config import TrackingConfig
from .detections import Detections
from .linked import Linking
from .noise import typical_step_um
from .overlap import MaskPixels

_RADIUS_IN_STEPS = 4.0


def link_with_trackpy(
    detections: Detections, config: TrackingConfig, masks: MaskPixels | None = None
) -> Linking:
    """Return detections linked by ``trackpy.link``.

    Parameters
    ----------
    detections : Detections
        n of them.
    config : TrackingConfig
        ``search_radius_um`` (None takes four times the typical step) and ``max_gap``.
    masks : MaskPixels, optional
        Passed on.

    Raises
    ------
    InputError
        The radius is so large that trackpy gives up.
    """
    step = typical_step_um(detections)
    count = len(detections)
    radius = config.search_radius_um or _RADIUS_IN_STEPS * step
    names = np.arange(1, count + 1)
    if count and radius > 0:
        import trackpy

        trackpy.quiet()
        table = pd.DataFrame(detections.position_um, columns=["y", "x"])
        table["frame"] = detections.frame // detections.frame_step
        try:
            linked = trackpy.link(table, search_range=radius, memory=config.max_gap)
        except trackpy.SubnetOversizeException as error:
            raise InputError(
                f"trackpy cannot link with a search radius of {radius:g} µm: too many objects are "
                "within reach of each other. Give a smaller search_radius_um, or use the linker "
                "'kalman'."
            ) from error
        names = linked.particle.to_numpy(np.int64)[np.argsort(linked.index.to_numpy())] + 1
    return Linking(
        detections, names, np.full(count, np.nan), np.full(count, "", object), step, masks
    )
