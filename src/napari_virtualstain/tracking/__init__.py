"""Identities of mitochondria through time.

:func:`link` follows detected positions, :func:`track` follows masks, :class:`LiveTracker`
follows frames as they are taken. All give :class:`Tracks`, which
:func:`analyse_motion`, :func:`mean_squared_displacement` and :func:`event_rates` describe.

Examples
--------
>>> import pandas as pd
>>> seen = pd.DataFrame({"frame": [0, 1], "y_um": [5.0, 5.1], "x_um": [1.0, 1.2]})
>>> len(link(seen, search_radius_um=1.0))
1
"""

from .config import TrackingConfig
from .link_detections import link
from .live import LiveTracker
from .motion_analysis import analyse_motion, event_rates, mean_squared_displacement
from .track_masks import track
from .tracks import Tracks

__all__ = [
    "LiveTracker",
    "TrackingConfig",
    "Tracks",
    "analyse_motion",
    "event_rates",
    "link",
    "mean_squared_displacement",
    "track",
]
