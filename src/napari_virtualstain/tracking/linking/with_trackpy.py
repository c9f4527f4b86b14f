"""Linking with trackpy (Crocker and Grier); all that knows this optional package."""

from __future__ import annotations

import numpy as np

from ...errors import InputError
from ..detections import Detections
from ..mask_pixels import MaskPixels
from ..tracking_config import TrackingConfig
from .noise import typical_step_um, usable_step_um
from .result import Linking


def link_with_trackpy(
    detections: Detections, config: TrackingConfig, masks: MaskPixels | None = None
) -> Linking:
    """Return detections linked by ``trackpy.link``.

    Parameters
    ----------
    detections : Detections
        n of them.
    config : TrackingConfig
        ``search_radius_um`` (None takes some typical steps) and ``max_gap``.
    masks : MaskPixels, optional
        Passed on.

    Raises
    ------
    InputError
        The radius is so large that trackpy gives up.
    """
    tuning = config.tuning.motion
    step = usable_step_um(typical_step_um(detections), config.search_radius_um, tuning)
    count = len(detections)
    radius = config.search_radius_um or tuning.radius_in_steps * step
    track_ids = np.arange(1, count + 1)
    if count:
        import trackpy

        trackpy.quiet()
        parts = {frame // detections.frame_step: part for frame, part in detections.slices()}
        frames = range(min(parts), max(parts) + 1)
        nothing = slice(0, 0)
        places = (detections.position_um[parts.get(frame, nothing)] for frame in frames)
        try:
            linked = trackpy.link_iter(places, search_range=radius, memory=config.max_gap)
            track_ids = np.concatenate([np.asarray(some, np.int64) for _, some in linked]) + 1
        except trackpy.SubnetOversizeException as error:
            raise InputError(
                f"trackpy cannot link with a search radius of {radius:g} µm: too many objects are "
                "within reach of each other. Give a smaller search_radius_um, or use the linker "
                "'kalman'."
            ) from error
    return Linking(
        detections, track_ids, np.full(count, np.nan), np.full(count, "", object), step, masks
    )
