"""Extension points for generators, segmenters and trackers of other packages.

A package offers functions of the names below, marked with :data:`hook_implementation`,
in a module that it announces under the entry-point group :data:`ENTRY_POINT_GROUP`::

    # pyproject.toml of the other package
    [project.entry-points."napari_virtualstain.plugins"]
    my-plugin = "my_package.hooks"

    # my_package/hooks.py
    from napari_virtualstain.hooks import hook_implementation

    @hook_implementation
    def virtualstain_generators():
        return {"my generator": MyGenerator}

What it adds is then in the lists of the docks, and in :func:`generators`, :func:`segmenters`
and :func:`trackers` for scripts. This layer is
napari-plugin-engine, which knows neither napari nor Qt; widgets, readers and writers are
registered with npe2 in ``napari.yaml`` instead. ``examples/virtualstain-example-plugin``
is a package to start from.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import napari_plugin_engine as engine

from .errors import InputError

PROJECT = "napari_virtualstain"
AddOnKind: TypeAlias = Literal["generator", "segmenter", "tracker"]
_KEY_PREFIX = "addon:"
ENTRY_POINT_GROUP = "napari_virtualstain.plugins"

_log = logging.getLogger(__name__)

hook_implementation = engine.HookImplementationMarker(PROJECT)
_hook_specification = engine.HookSpecificationMarker(PROJECT)


class Generator(Protocol):
    """Function from bright-field to virtual fluorescence."""

    def __call__(self, bright_field: Any, *, pixel_size_um: float | None = None) -> Any:
        """Return the fluorescence of `bright_field`.

        Parameters
        ----------
        bright_field : ndarray, shape (Y, X), float32
            One frame, as the camera counted.
        pixel_size_um : float or None
            Size of a pixel, micrometres; None when it is not known.

        Returns
        -------
        ndarray, shape (Y, X), float32
        """


class Segmenter(Protocol):
    """Function from fluorescence to one label for each mitochondrion."""

    def __call__(self, fluorescence: Any, *, pixel_size_um: float | None = None) -> Any:
        """Return the labels of `fluorescence`.

        Parameters
        ----------
        fluorescence : ndarray, shape (Y, X), float32
            One frame, true or virtual.
        pixel_size_um : float or None
            Size of a pixel, micrometres; None when it is not known.

        Returns
        -------
        ndarray, shape (Y, X), int32
            0 is background.
        """


class Tracker(Protocol):
    """Function from labels to tracks of mitochondria."""

    def __call__(
        self,
        labels: Any,
        *,
        intensity: Any = None,
        pixel_size_um: float = 1.0,
        frame_interval_s: float = 1.0,
    ) -> Any:
        """Return the tracks of `labels`.

        Parameters
        ----------
        labels : ndarray, shape (T, Y, X), int32
        intensity : ndarray, shape (T, Y, X), optional
            Fluorescence of the same frames.
        pixel_size_um, frame_interval_s : float
            Size of a pixel, micrometres, and time from frame to frame, seconds.

        Returns
        -------
        DataFrame
            One row per mitochondrion and frame; at least ``track_id frame y_um x_um label``.
            ``parent``, the track that this one came from, is optional; a number that is no track,
            as 0 or -1, and NaN stand for none.
        """


class _Specifications:
    """The hooks that a plugin may implement, each a dict of name to factory.

    A factory takes no argument and returns the callable of the protocol. It runs when the
    user first chooses the name, so heavy imports belong in it and not in the module.
    """

    @staticmethod
    @_hook_specification  # type: ignore[untyped-decorator]
    def virtualstain_generators() -> Mapping[str, Callable[[], Generator]]:  # type: ignore[empty-body]
        """Return name and factory of each generator of the plugin."""

    @staticmethod
    @_hook_specification  # type: ignore[untyped-decorator]
    def virtualstain_segmenters() -> Mapping[str, Callable[[], Segmenter]]:  # type: ignore[empty-body]
        """Return name and factory of each segmenter of the plugin."""

    @staticmethod
    @_hook_specification  # type: ignore[untyped-decorator]
    def virtualstain_trackers() -> Mapping[str, Callable[[], Tracker]]:  # type: ignore[empty-body]
        """Return name and factory of each tracker of the plugin."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Fault of a plugin, kept for the user to read.

    Attributes
    ----------
    plugin : str
        Its name.
    message : str
        What happened, and that the rest goes on without it.
    """

    plugin: str
    message: str


class Extensions:
    """The plugins of one program, found once and asked for what they add.

    A plugin that cannot be imported, raises or returns nonsense is left out and noted in
    :attr:`problems`: it never takes the program down.

    Examples
    --------
    >>> extensions = Extensions(discover=False)
    >>> class Plugin:
    ...     @staticmethod
    ...     @hook_implementation
    ...     def virtualstain_generators():
    ...         return {"identity": lambda: lambda image, *, pixel_size_um=None: image}
    >>> extensions.register(Plugin, "example")
    >>> list(extensions.generators())
    ['identity']
    """

    def __init__(self, *, discover: bool = True) -> None:
        # without an entry point of its own: it would look for plugins already at import
        self._manager = engine.PluginManager(PROJECT)
        self._manager.add_hookspecs(_Specifications)
        self._discovered = not discover
        self._lock = threading.RLock()
        self._problems: dict[tuple[str, str], Problem] = {}

    @property
    def problems(self) -> list[Problem]:
        """What plugins did wrong so far."""
        return list(self._problems.values())

    def register(self, plugin: Any, name: str) -> None:
        """Add a module or class that implements hooks, without an entry point.

        Raises
        ------
        InputError
            The name is taken, or nothing in the plugin implements a hook.
        """
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # "has no hooks!"
            try:
                self._manager.register(plugin, name)
            except (ValueError, TypeError, UserWarning, engine.PluginError) as error:
                raise InputError(
                    f"Plugin {name!r} was not registered: {error}. Expected an unused name and a "
                    "module or class with functions marked @hook_implementation."
                ) from error

    def unregister(self, name: str) -> None:
        """Forget a plugin; unknown names are fine."""
        with self._lock:
            if self._manager.is_registered(name):
                self._manager.unregister(name)

    def generators(self) -> dict[str, Callable[[], Generator]]:
        """Return the factory of each added generator by name."""
        return self._collect("virtualstain_generators")

    def segmenters(self) -> dict[str, Callable[[], Segmenter]]:
        """Return the factory of each added segmenter by name."""
        return self._collect("virtualstain_segmenters")

    def trackers(self) -> dict[str, Callable[[], Tracker]]:
        """Return the factory of each added tracker by name."""
        return self._collect("virtualstain_trackers")

    def _collect(self, hook_name: str) -> dict[str, Any]:
        with self._lock:
            self._discover()
            found: dict[str, Any] = {}
            for implementation in getattr(self._manager.hook, hook_name).get_hookimpls():
                plugin = implementation.plugin_name
                for name, factory in self._ask(implementation.function, plugin).items():
                    if name in found:
                        self._note(plugin, f"{name!r} of {plugin!r} is taken by another plugin")
                    else:
                        found[name] = factory
            return found

    def _ask(self, function: Callable[[], Any], plugin: str) -> dict[str, Any]:
        """Return what one plugin offers, and nothing if it fails."""
        try:
            offered = dict(function())
        except Exception as error:  # a stranger's code may raise anything
            self._note(plugin, f"{function.__name__} of {plugin!r} failed: {error!r}")
            return {}
        wrong = [name for name, factory in offered.items() if not callable(factory)]
        for name in wrong:
            self._note(plugin, f"{name!r} of {plugin!r} is no factory: it cannot be called")
        return {str(name): offered[name] for name in offered if name not in wrong}

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a plugin without hooks is harmless
            try:
                _, errors = self._manager.discover(entry_point=ENTRY_POINT_GROUP)
            except Exception as error:  # broken metadata of some installed package
                self._note("?", f"plugins could not be looked for: {error!r}")
                return
        for failure in errors:
            cause = failure.__cause__ or failure
            self._note(failure.plugin_name, f"{failure.plugin_name!r} was not loaded: {cause!r}")

    def _note(self, plugin: str, message: str) -> None:
        problem = Problem(plugin, f"Plugin problem: {message}. It is left out.")
        if (plugin, message) not in self._problems:
            self._problems[plugin, message] = problem
            _log.warning(problem.message)


EXTENSIONS = Extensions()


def add_on_key(name: str) -> str:
    """Return what stands for an add-on where else the name or path of a model would.

    Examples
    --------
    >>> add_on_key("dark is bright")
    'addon:dark is bright'
    """
    return _KEY_PREFIX + name


def add_on_name(key: object) -> str | None:
    """Return the add-on that a key of :func:`add_on_key` stands for, None for anything else.

    Examples
    --------
    >>> add_on_name("addon:dark is bright")
    'dark is bright'
    >>> add_on_name("mito-h9c2") is None
    True
    """
    if not isinstance(key, str) or not key.startswith(_KEY_PREFIX):
        return None
    return key.removeprefix(_KEY_PREFIX)


def added_name(model: object, kind: AddOnKind, own: Iterable[str] = ()) -> str | None:
    """Return the name of the add-on that a name or a key means, None for anything else.

    Parameters
    ----------
    model : object
        Key of :func:`add_on_key`, or the bare name of an add-on.
    kind : {"generator", "segmenter", "tracker"}
        What it must be.
    own : iterable of str
        Names of this package's own, which come first.

    Examples
    --------
    >>> added_name("mito-h9c2", "generator", ["mito-h9c2"]) is None
    True
    """
    name = add_on_name(model)
    if name is None and (not isinstance(model, str) or model in set(own)):
        return None
    kinds: dict[AddOnKind, Callable[[], dict[str, Any]]] = {
        "generator": generators,
        "segmenter": segmenters,
        "tracker": trackers,
    }
    offered = kinds[kind]()
    wanted: str = str(model) if name is None else name
    return wanted if wanted in offered else None


def generators() -> dict[str, Callable[[], Generator]]:
    """Return the factory of each generator that other packages add, by name.

    Examples
    --------
    >>> isinstance(generators(), dict)
    True
    """
    return EXTENSIONS.generators()


def segmenters() -> dict[str, Callable[[], Segmenter]]:
    """Return the factory of each segmenter that other packages add, by name.

    Examples
    --------
    >>> isinstance(segmenters(), dict)
    True
    """
    return EXTENSIONS.segmenters()


def trackers() -> dict[str, Callable[[], Tracker]]:
    """Return the factory of each tracker that other packages add, by name.

    Examples
    --------
    >>> isinstance(trackers(), dict)
    True
    """
    return EXTENSIONS.trackers()
