"""Identities of mitochondria through time.

:func:`link` follows detected positions, :func:`track` follows masks; both return
:class:`Tracks`.

Examples
--------
>>> import pandas as pd
>>> seen = pd.DataFrame({"frame": [0, 1], "y_um": [5.0, 5.1], "x_um": [1.0, 1.2]})
>>> len(link(seen, search_radius_um=1.0))
1
"""

from .config import TrackingConfig
from .linking import link
from .masks import track
from .tracks import Tracks

__all__ = ["TrackingConfig", "Tracks", "link", "track"]
