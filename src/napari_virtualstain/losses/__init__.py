"""Losses of the generator and the discriminator, each with its formula and source."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
