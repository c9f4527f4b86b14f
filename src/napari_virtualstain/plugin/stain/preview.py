"""Live preview: the visible frame, stained while the user scrubs.

One plane is stained at a time in a thread. Moves that come meanwhile are not queued:
only the last one counts. Planes that were seen already come back at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject

from ..kit.cleanup import Cleanup
from ..kit.jobs import JobContext, JobRunner, Outcome, error_text
from ..kit.layer_region import visible_index
from ..kit.settling import debouncer
from ..layers.colours import STAIN_COLORMAP, dim
from ..layers.description import (
    base_name,
    find_layer,
    flat_geometry,
    geometry_of,
    layer_name,
    provenance,
    still_there,
    unwrap,
)
from ..layers.insertion import hide_stains, insert
from .job import PlaneStainer, StainRequest, display_limits

_SETTLE_MS = 60
_KEPT_PLANES = 48


class LivePreview(QObject):
    """Layer `<source> [preview]` that follows the visible frame.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to look and draw.
    request : callable
        Returns the :class:`StainRequest` of the visible frame and its layer, or None
        while nothing can be stained.
    say : callable
        Receives what went wrong.
    parent : QObject
        The dock.
    """

    def __init__(
        self,
        viewer: Any,
        request: Callable[[], tuple[StainRequest, Any] | None],
        say: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._request = request
        self._say = say
        self._cleanup = Cleanup()
        self._planes: OrderedDict[Any, np.ndarray] = OrderedDict()
        self._stainer: tuple[Any, Any] | None = None
        self._layer: Any = None
        self._hidden: list[Any] = []
        self._pending = False
        self.runner = JobRunner(self)
        self.runner.conclude = self._conclude
        self._settle = debouncer(self, _SETTLE_MS, self._stain_visible)
        self.active = False
        self._begins = True

    def start(self) -> None:
        """Follow the viewer."""
        if not self.active:
            self.active = self._begins = True
            self._cleanup.connect(self._viewer.dims.events.point, self._on_moved)
            self._stain_visible()

    def stop(self) -> None:
        """Stop following and hide the preview layer; it is used again by the next preview.

        Removing it ends the program on some drivers, in the middle of the canvas's drawing.
        """
        self.active = False
        self._settle.cancel()
        self._cleanup.run()
        self.runner.abandon()
        self._planes.clear()
        self._stainer = None
        if (layer := still_there(self._viewer, self._layer)) is not None:
            was_seen, layer.visible = layer.visible, False
            for hidden in self._hidden if was_seen else ():
                hidden.visible = True
        self._hidden = []

    def renew(self) -> None:
        """Stain again, because the model or another setting has changed."""
        self._on_moved()

    def _on_moved(self, _event: Any = None) -> None:
        if self.active:
            self._settle.throttle()

    def _stain_visible(self) -> None:
        if not self.active:
            return
        if self.runner.state.is_active:
            self._pending = True
            return
        asked = self._request()
        if asked is None:
            return
        request, layer = asked
        settings = (
            id(request.data),
            request.model,
            request.pixel_size_um,
            request.device,
            request.tile,
            request.settings,
        )
        key = (settings, visible_index(self._viewer, layer))
        self._geometry, self._name = flat_geometry(geometry_of(layer)), layer.name
        if key in self._planes:
            self._show(self._planes[key])
            return
        known = self._stainer[1] if self._stainer and self._stainer[0] == settings else None
        index = visible_index(self._viewer, layer)

        def work(_context: JobContext) -> Any:
            stainer = known or PlaneStainer(request)
            return key, stainer, stainer.stain([index])[0][0]

        self.runner.start(work, "Live preview")

    def _conclude(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None:
            if not outcome.cancelled:
                self._say(error_text(outcome.error))
        else:
            key, stainer, plane = outcome.value
            self._stainer = (key[0], stainer)
            self._planes[key] = plane
            while len(self._planes) > _KEPT_PLANES:
                self._planes.popitem(last=False)
            self._show(plane)
        if self._pending:
            self._pending = False
            self._settle.throttle()
        return outcome

    def _show(self, plane: np.ndarray) -> None:
        if not self.active:
            return
        name = layer_name(self._name, "preview")
        layer = still_there(self._viewer, self._layer)
        if layer is not None and base_name(layer.name) != base_name(self._name):
            layer.visible, layer = False, None
        if layer is None:
            layer = find_layer(self._viewer, name)
        if layer is None:
            before = self._viewer.layers.selection.active
            self._hide_results()
            made = Image(
                plane,
                name=name,
                colormap=STAIN_COLORMAP,
                blending="additive",
                contrast_limits=display_limits(plane),
                metadata=provenance("preview", self._name),
                **self._geometry,
            )
            self._layer = insert(self._viewer, made)
            dim(find_layer(self._viewer, self._name))
            if before is not None:
                self._viewer.layers.selection.active = before
            return
        if layer is not self._layer or self._begins or not layer.visible:
            self._hide_results()
            for name, value in self._geometry.items():
                setattr(layer, name, value)
        self._layer, layer.data = layer, plane
        layer.visible = True

    def _hide_results(self) -> None:
        """Hide the stain below the first plane of a preview: both would add up."""
        self._begins = False
        stains = hide_stains(self._viewer, self._name)
        self._hidden += [layer for layer in stains if unwrap(layer) is not unwrap(self._layer)]
