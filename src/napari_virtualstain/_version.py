"""Version of the package, read by the build and by whatever records it."""

__version__ = "0.1.0"
