"""Identities of mitochondria through time.

:func:`link` follows detected positions, :func:`track` follows masks, :class:`LiveTracker`
follows frames as they are taken. All give :class:`Tracks`, which
:func:`analyse_motion`, :func:`mean_squared_displacement` and :func:`event_rates` describe.

Examples
--------
>>> import pandas as pd
>>> from napari_virtualstain.tracking import link
>>> seen = pd.DataFrame({"frame": [0, 1], "y_um": [5.0, 5.1], "x_um": [1.0, 1.2]})
>>> len(link(seen, search_radius_um=1.0))
1
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
