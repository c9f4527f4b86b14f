"""Generators, segmenters and trackers of other packages, as the docks list them."""

from __future__ import annotations

ADDON = "addon:"


def addon_names(kind: str) -> list[str]:
    """Return the names that other packages add.

    Parameters
    ----------
    kind : {"generator", "segmenter", "tracker"}
        What is asked for.

    Examples
    --------
    >>> isinstance(addon_names("tracker"), list)
    True
    """
    from .. import hooks

    if kind == "generator":
        return sorted(hooks.generators())
    return sorted(hooks.segmenters() if kind == "segmenter" else hooks.trackers())
