"""The drop-down of how many bright-field planes a new model reads."""

from __future__ import annotations

from typing import Any

from ..kit.controls import Choice

_AROUND = {"z": "above and below", "t": "before and after"}
_COUNTS = (3, 5)


class PlanesChoice(Choice):
    """Offers the plane itself, or with its neighbours, along the axes that a layer has.

    Until the user chooses, z-stacks are read as usual, with the planes above and below, and
    movies plane by plane. A model to start from has its own number, which is then shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self._offered: Any = None
        self.follow({}, None)

    @property
    def asked(self) -> int | None:
        """Planes for one target; None leaves it to the model to start from."""
        return None if self.value is None else int(self.value[0])

    @property
    def axis(self) -> str:
        """Where they lie: ``z`` or ``t``."""
        return "z" if self.value is None else str(self.value[1])

    def load(self, planes: tuple[int, str] | None) -> None:
        """Choose what settings ask for, where the layer and the model have it."""
        if planes in map(self.itemData, range(self.count())):
            self.value = planes

    def follow(self, sizes: dict[str, int], start: Any) -> None:
        """Offer what fits a layer.

        Parameters
        ----------
        sizes : dict
            Length of each axis of the layer by its letter.
        start : ModelCard or None
            Of the model to start from.
        """
        from ...data import usual_planes

        if start is not None:
            options: list[tuple[str, Any]] = [(f"{_text(start.inputs)}, as the model", None)]
            usual = None
        else:
            options = [("one", (1, "z"))]
            options += [
                (f"{count}, {_AROUND[axis]}", (count, axis))
                for axis in "zt"
                for count in _COUNTS
                if sizes.get(axis, 1) >= count
            ]
            usual = (usual_planes(sizes.get("z", 1)), "z")
        if options == self._offered:  # the user's own choice stays
            return
        self._offered = options
        self.blockSignals(True)
        self.clear()
        for text, value in options:
            self.addItem(text, value)
        self.value = usual
        self.setEnabled(len(options) > 1)
        self.blockSignals(False)


def _text(inputs: Any) -> str:
    return "one" if inputs.planes == 1 else f"{inputs.planes}, {_AROUND[inputs.axis]}"
