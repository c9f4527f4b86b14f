"""Virtual staining of images and movies of any size, in memory, to file or on a cluster.

Nothing here imports torch until a name is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
