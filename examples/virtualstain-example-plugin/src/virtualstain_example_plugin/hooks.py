"""What this package adds to napari-virtualstain."""

from napari_virtualstain.hooks import hook_implementation


def _load(name):
    """Return a factory that imports the method when somebody first chooses it."""

    def factory():
        from . import methods

        return getattr(methods, name)

    return factory


@hook_implementation
def virtualstain_generators():
    """Return the generators of this package."""
    return {"example: dark is bright": _load("dark_is_bright")}


@hook_implementation
def virtualstain_segmenters():
    """Return the segmenters of this package."""
    return {"example: Otsu": _load("otsu")}


@hook_implementation
def virtualstain_trackers():
    """Return the trackers of this package."""
    return {"example: nearest": _load("nearest")}
