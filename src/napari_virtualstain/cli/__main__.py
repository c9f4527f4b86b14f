"""``python -m napari_virtualstain.cli``."""

from __future__ import annotations

from . import main

main()
