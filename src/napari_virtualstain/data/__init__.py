"""Correlative pairs, crops and splits.

Everything here is numpy, but :class:`CropBatches` and :class:`TensorBatch`, which bring
torch along when they are first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
