"""Mitochondria as instances, and their measures.

Nothing here imports torch until an image is segmented.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
