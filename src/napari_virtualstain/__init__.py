"""Virtual fluorescence of mitochondria from bright-field movies.

The names below are loaded when first used, so that importing the package costs
neither torch nor Qt.

Examples
--------
>>> import napari_virtualstain as vs
>>> scene = vs.simulate(frames=1, size=64, count=3, seed=0)
>>> scene.labels.shape
(1, 64, 64)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
