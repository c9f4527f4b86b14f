"""A drop-down of the viewer's layers that proposes the right one.

It chooses by itself (see :func:`rank`) until the user picks a layer; from then on it
keeps that layer for as long as it exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from qtpy.QtCore import Signal

from ..layers.description import has_layer, unwrap
from .controls import Choice

_RESULT = re.compile(r" (\[[^\[\]]*[a-z][^\[\]]*\])(?: \[\d+\])?$")
_LONGEST_RESULT = 80  # letters; a longer name would take the expression seconds
ROLE_WORDS = {
    "bright_field": (
        ("bright", "brightfield", "bf", "transmi", "phase", "dic"),
        ("fluor", "gfp", "mcherry", "truth", "label", "uncertainty", "[preview]", "training]"),
    ),
    "fluorescence": (
        ("[fluorescence]", "fluor", "gfp", "mcherry"),
        ("bright", "uncertainty", "[preview]"),
    ),
    "true_fluorescence": (("fluor", "gfp", "mcherry"), ("[", "bright", "uncertainty")),
    "mitochondria": (("[mitochondria]", "mito"), ("tracked", "truth")),
    "tracks": (("[tracks]",), ("truth",)),
}


def rank(name: str, role: str, *, active: bool, position: int) -> tuple[int, int, int]:
    """Return how well a layer called `name` fits `role`; the largest fits best.

    Examples
    --------
    >>> a = rank("movie bright-field", "bright_field", active=False, position=0)
    >>> b = rank("movie fluorescence", "bright_field", active=True, position=1)
    >>> a > b
    True
    >>> made = rank("my bright-field [fluorescence]", "fluorescence", active=False, position=0)
    >>> made > rank("my fluorescence", "fluorescence", active=True, position=1)
    True
    >>> again = rank("cell [fluorescence] [1]", "bright_field", active=True, position=1)
    >>> again < rank("cell", "bright_field", active=False, position=0)
    True
    """
    wanted, unwanted = ROLE_WORDS.get(role, ((), ()))
    # a result's own kind counts, and not what its source was called or napari's number
    kind = _RESULT.search(name.lower()[-_LONGEST_RESULT:])
    lowered = kind[1] if kind else name.lower()
    score = 0
    for weight, word in zip(range(len(wanted), 0, -1), wanted, strict=True):
        if word in lowered:
            score = weight
            break
    if any(word in lowered for word in unwanted):
        score -= 10
    return score, int(active), position


def choose_if_fitting(choice: LayerChoice, layer: Any) -> None:
    """Choose `layer`, or leave the choice as it is where the layer is not among those offered."""
    with suppress(ValueError):
        choice.value = layer


class LayerChoice(Choice):
    """Drop-down of the layers of a viewer that `accepts` lets pass.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are offered.
    accepts : callable
        Takes a layer, says whether it can be chosen.
    role : str
        Key of :data:`ROLE_WORDS`.
    optional : bool
        Whether "none" is a choice.
    nothing : str
        Text while there is no layer to choose.
    why_unfit : callable
        Returns why a layer that is not accepted is none to choose, or None where nobody would
        expect it. Such layers stand at the end of the list, with the reason, and cannot be chosen.
    hint : callable or None
        Returns the layer to propose, or None where it knows of none and names must do.
    proposes : callable
        Takes a layer, says whether it may be proposed. Other layers are offered, but chosen by
        hand only: where none may be proposed, `nothing` is shown and no layer is chosen.
    """

    chosen = Signal(object)

    def __init__(
        self,
        viewer: Any,
        accepts: Callable[[Any], bool],
        *,
        role: str,
        optional: bool = False,
        nothing: str = "no fitting layer",
        hint: Callable[[], Any] | None = None,
        why_unfit: Callable[[Any], str | None] = lambda _layer: None,
        proposes: Callable[[Any], bool] = lambda _layer: True,
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._accepts = accepts
        self._role = role
        self._optional = optional
        self._nothing = nothing
        self._hint = hint
        self._why_unfit = why_unfit
        self._proposes = proposes
        self._layers: list[Any] = []
        self._unfit: dict[str, str] = {}
        self._picked_by_hand = False
        self._last: Any = None
        self.refresh()
        self.activated.connect(self._on_activated)
        self.currentIndexChanged.connect(self._announce)

    @property
    def value(self) -> Any:
        """The chosen layer, or None."""
        index = self.currentIndex() - (1 if self._optional else 0)
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @value.setter
    def value(self, layer: Any) -> None:
        wanted = unwrap(layer)
        for index, known in enumerate(self._layers):
            if known is wanted:
                self._picked_by_hand = True
                self.setCurrentIndex(index + (1 if self._optional else 0))
                return
        if layer is None and self._optional:
            self._picked_by_hand = True
            self.setCurrentIndex(0)
            return
        raise ValueError(f"layer {getattr(layer, 'name', layer)!r} cannot be chosen here")

    def refresh(self, *, keep: bool = False) -> None:
        """Follow the viewer: new, removed, renamed and reordered layers.

        With `keep` the chosen layer stays chosen while it is there, picked by hand or not.
        """
        before = self.value if self._layers else None
        layers = [unwrap(layer) for layer in self._viewer.layers]
        self._layers = [layer for layer in layers if self._accepts(layer)]
        self._unfit = {
            layer.name: reason
            for layer in layers
            if not self._accepts(layer) and (reason := self._why_unfit(layer)) is not None
        }
        none = self._optional and before is None
        is_there = none or has_layer(self._viewer, before)
        self._picked_by_hand = self._picked_by_hand and is_there
        keep = is_there and (keep or self._picked_by_hand)
        target = before if keep and any(before is layer for layer in self._layers) else None
        if target is None and not (keep and none):
            target = self._propose([layer for layer in self._layers if self._proposes(layer)])
        self._fill(target)
        self._announce()

    def _propose(self, layers: Sequence[Any]) -> Any:
        if not layers:
            return None
        hinted = unwrap(self._hint()) if self._hint is not None else None
        if any(layer is hinted for layer in layers):
            return hinted
        active = unwrap(self._viewer.layers.selection.active)
        ranked = [
            (rank(layer.name, self._role, active=layer is active, position=i), i)
            for i, layer in enumerate(layers)
        ]
        best, index = max(ranked)
        if self._optional and best[0] <= 0:
            return None
        return layers[index]

    def _fill(self, target: Any) -> None:
        blocked = self.blockSignals(True)
        self.clear()
        if self._optional:
            self.addItem("none")
        for layer in self._layers:
            self.addItem(layer.name)
        if target is not None:
            place = next(i for i, layer in enumerate(self._layers) if layer is target)
            self.setCurrentIndex(place + (1 if self._optional else 0))
        elif self._layers and not self._optional:
            self.setPlaceholderText(self._nothing)
            self.setCurrentIndex(-1)
        elif not self._layers and not self._optional:
            self.addItem(self._nothing)
        self._list_unfit()
        self.setEnabled(bool(self._layers))
        self.blockSignals(blocked)

    def _list_unfit(self) -> None:
        """List layers that cannot be chosen, greyed, with the reason in words."""
        for name, reason in self._unfit.items():
            self.addItem(f"{name}: {reason}")
            if (item := self.model().item(self.count() - 1)) is not None:
                item.setEnabled(False)

    def _on_activated(self, _index: int) -> None:
        self._picked_by_hand = True

    def _announce(self, *_: Any) -> None:
        value = self.value
        if value is not self._last:
            self._last = value
            self.chosen.emit(value)
