"""Networks, model files with their cards, and the shipped models.

Cards and lists of models cost no torch; it is imported when a network is needed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
