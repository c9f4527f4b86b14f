"""Engine that runs any network: devices, tiles, strips, resampling, orientations, export.

Nothing here imports torch until a name is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
