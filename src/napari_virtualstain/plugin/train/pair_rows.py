"""The form rows of the pairs of layers: bright-field, true fluorescence and regions of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...errors import InputError
from ..kit.cleanup import Cleanup
from ..kit.controls import add_row, button, check_box, in_row, new_form, note
from ..kit.layer_choice import LayerChoice
from ..kit.suitable_layers import is_movie
from ..layers.description import axes_of, base_name, layer_name, still_there
from .drawn_regions import HELD_OUT, TRAIN, add_regions_layer, give_role, read_regions, roles_of
from .pair_proposal import propose_pair
from .sources import PairSource, paired_frames, why_no_movie, why_no_pair


class PairRow(QWidget):
    """Three drop-downs: the layers of one pair, and the regions of both."""

    changed = Signal()

    def __init__(self, viewer: Any, number: int, used: Callable[[], list[Any]]) -> None:
        super().__init__()
        self._viewer, self._used, self._drawing = viewer, used, Cleanup()
        self._proposed: list[Any] = [None, None]
        suffix = "" if number == 1 else f"_{number}"
        form = new_form()
        form.setContentsMargins(0, 0, 0, 0)
        self.setLayout(form)
        self.bright_field = LayerChoice(
            viewer,
            is_movie,
            role="bright_field",
            optional=True,
            hint=self._light,
        )
        tooltip = "Bright-field that the model reads"
        add_row(form, "Bright-field", self.bright_field, tooltip, name=f"bright_field{suffix}")
        self.fluorescence = LayerChoice(
            viewer,
            is_movie,
            role="true_fluorescence",
            optional=True,
            hint=self._glow,
        )
        tooltip = (
            "Training target: the true fluorescence of the same frames, or of some of them at "
            "their times"
        )
        label = add_row(form, "True", self.fluorescence, tooltip, name=f"fluorescence{suffix}")
        self._of_pairs: list[QWidget] = [label, self.fluorescence]
        self.shapes = LayerChoice(
            viewer,
            lambda layer: type(layer).__name__ == "Shapes",
            role="shapes",
            optional=True,
            hint=self._drawn_on_it,
        )
        tooltip = (
            "Train inside these rectangles and polygons, ideally one per cell; none: whole images"
        )
        label = add_row(form, "Regions", self.shapes, tooltip, name=f"shapes{suffix}")
        self._of_pairs += [label, self.shapes]
        for choice in (self.bright_field, self.fluorescence, self.shapes):
            choice.chosen.connect(self._on_chosen)
        self._on_chosen()

    def source(self, each_frame: bool) -> PairSource:
        """Return the pair that is chosen.

        Raises
        ------
        InputError
            The layers are no pair.
        """
        light, glow = self.bright_field.value, self.fluorescence.value
        if (reason := why_no_pair(light, glow)) is not None:
            raise InputError(reason)
        return PairSource(
            name=base_name(light.name),
            bright_field=light.data,
            fluorescence=glow.data,
            axes=axes_of(light),
            frames=paired_frames(light, glow),
            regions=read_regions(light, self.shapes.value, each_frame=each_frame),
        )

    def movie(self) -> PairSource:
        """Return the bright-field alone, for simulated pairs like it.

        Raises
        ------
        InputError
            There is none.
        """
        light = self.bright_field.value
        if (reason := why_no_movie(light)) is not None:
            raise InputError(reason)
        return PairSource(base_name(light.name), light.data, None, axes_of(light))

    def show_fluorescence(self, shown: bool) -> None:
        """Show or hide the rows of fluorescence and regions."""
        for widget in self._of_pairs:
            widget.setVisible(shown)

    def stop(self) -> None:
        """Let go of the Shapes layer."""
        self._drawing.run()

    def _light(self) -> Any:
        return self._still(0) or propose_pair(self._viewer, self._used())[0]

    def _glow(self) -> Any:
        return self._still(1) or propose_pair(self._viewer, self._used())[1]

    def _still(self, place: int) -> Any:
        """Return what was proposed before: a layer that is added later changes no pair."""
        return still_there(self._viewer, self._proposed[place])

    def _drawn_on_it(self) -> Any:
        """Return the Shapes layer that was made for this bright-field."""
        light = self.bright_field.value
        name = None if light is None else layer_name(light.name, "regions")
        return next((layer for layer in self._viewer.layers if layer.name == name), None)

    def _on_chosen(self, _layer: Any = None) -> None:
        """Look again whenever a shape is drawn, moved or deleted."""
        self._proposed = [self.bright_field.value, self.fluorescence.value]
        self._drawing.run()
        shapes = self.shapes.value
        if shapes is not None:
            self._drawing.connect(shapes.events.data, self._on_drawn)
            self._drawing.connect(shapes.events.features, self._on_drawn)
        self.changed.emit()

    def _on_drawn(self, _event: Any = None) -> None:
        self.changed.emit()


class PairRows(QWidget):
    """One row per pair, and the buttons that draw regions and set what they are for.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are offered.
    add_choice : callable
        Keeps a drop-down in step with the viewer.
    say : callable
        Receives advice.
    """

    changed = Signal()

    def __init__(
        self, viewer: Any, add_choice: Callable[[Any], Any], say: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._viewer, self._add_choice, self._say = viewer, add_choice, say
        self.rows: list[PairRow] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._room = QVBoxLayout()
        layout.addLayout(self._room)
        self.simulate_box = check_box(
            "No fluorescence: simulate for this microscope",
            "Train on simulated pairs that resemble the bright-field movie, with the optics below",
            name="simulate",
        )
        self.simulate_box.toggled.connect(self._on_simulate)
        layout.addWidget(self.simulate_box)
        self.new_regions = button(
            "New regions",
            "Add a Shapes layer to draw rectangles or polygons in; draw at once",
            self.draw,
            name="new_regions",
        )
        self.train_button = button(
            "Use to train",
            "Selected regions train (blue). Select them in the viewer first (key 5)",
            self._on_train,
            name="regions_train",
        )
        self.hold_button = button(
            "Hold out",
            "Selected regions are held out (orange): the model is judged on them",
            self._on_hold,
            name="regions_hold_out",
        )
        regions = in_row(self.new_regions, self.train_button, self.hold_button, stretch=None)
        layout.addWidget(regions)
        self.each_frame = check_box(
            "Regions apply to their own frame only",
            "Otherwise each region applies to all frames",
            name="each_frame",
        )
        self.each_frame.toggled.connect(self._on_changed)
        layout.addWidget(self.each_frame)
        self.add_button = button(
            "Add a pair",
            "Add another pair of layers, for instance another cell",
            self.add,
            name="add_pair",
        )
        self.remove_button = button(
            "Remove the last pair", "Remove the last pair", self.remove, name="remove_pair"
        )
        pairs = in_row(self.add_button, self.remove_button, stretch=None)
        layout.addWidget(pairs)
        self._of_pairs = (regions, self.each_frame, pairs)
        self.summary = note(name="pairing")
        layout.addWidget(self.summary)
        self.add()

    @property
    def first(self) -> PairRow:
        """The first pair."""
        return self.rows[0]

    def add(self) -> PairRow:
        """Add a row, and return it."""
        row = PairRow(self._viewer, len(self.rows) + 1, partial(self._used_before, len(self.rows)))
        for choice in (row.bright_field, row.fluorescence, row.shapes):
            self._add_choice(choice)
        row.changed.connect(self._on_changed)
        self.rows.append(row)
        self._room.addWidget(row)
        self.order_tabs()
        self._on_changed()
        return row

    @property
    def are_simulated(self) -> bool:
        """Whether the fluorescence is to be simulated."""
        return bool(self.simulate_box.isChecked())

    def _on_simulate(self, simulate: bool) -> None:
        while simulate and len(self.rows) > 1:
            self.remove()
        self.first.show_fluorescence(not simulate)
        for widget in self._of_pairs:
            widget.setVisible(not simulate)
        self._on_changed()

    def order_tabs(self) -> None:
        """Let the tab key go down the rows, and then to the buttons below them."""
        chain: list[QWidget] = [
            choice
            for row in self.rows
            for choice in (row.bright_field, row.fluorescence, row.shapes)
        ]
        chain += [
            self.simulate_box,
            self.new_regions,
            self.train_button,
            self.hold_button,
            self.each_frame,
        ]
        chain += [self.add_button, self.remove_button]
        for before, after in pairwise(chain):
            self.setTabOrder(before, after)

    def remove(self) -> None:
        """Take the last row away; the first stays."""
        if len(self.rows) > 1:
            row = self.rows.pop()
            row.stop()
            row.changed.disconnect(self._on_changed)
            row.setVisible(False)
            self._room.removeWidget(row)
            self._on_changed()

    def stop(self) -> None:
        """Let go of the viewer."""
        for row in self.rows:
            row.stop()

    def sources(self) -> tuple[PairSource, ...]:
        """Return the pairs that are chosen, each with a name of its own.

        Raises
        ------
        InputError
            Layers are no pair, or a layer is in two of them.
        """
        if self.are_simulated:
            return (self.first.movie(),)
        made: list[PairSource] = []
        used: list[Any] = []
        for number, row in enumerate(self.rows, start=1):
            try:
                source = row.source(self.each_frame.isChecked())
            except InputError as error:
                where = f"Pair {number}: " if len(self.rows) > 1 else ""
                raise InputError(f"{where}{error}") from error
            for layer in (row.bright_field.value, row.fluorescence.value):
                if any(layer is known for known in used):
                    raise InputError(
                        f"{layer.name!r} is in two pairs. Choose other layers for pair {number}, "
                        "or remove it."
                    )
                used.append(layer)
            if source.name in {other.name for other in made}:
                source = replace(source, name=f"{source.name} ({number})")
            made.append(source)
        return tuple(made)

    def draw(self) -> None:
        """Add a Shapes layer on the bright-field of the last pair, choose it, and draw in it."""
        row = self.rows[-1]
        image = row.bright_field.value
        if image is None:
            self._say("Choose the bright-field first; regions are drawn on it.")
            return
        layer = add_regions_layer(self._viewer, image, each_frame=self.each_frame.isChecked())
        row.shapes.refresh()
        row.shapes.value = layer
        self._say("Draw rectangles on the image, one per cell; key P draws polygons.")

    def give(self, role: str) -> None:
        """Give the selected shapes a role."""
        done = 0
        for row in self.rows:
            shapes = row.shapes.value
            if shapes is not None and shapes.selected_data:
                give_role(shapes, sorted(shapes.selected_data), role)
                done += len(shapes.selected_data)
        if done:
            self._say(
                f"{done} region{'s' * (done != 1)}: {'held out' if role == HELD_OUT else 'train'}."
            )
        else:
            self._say(
                "Select regions in the viewer first: choose the Shapes layer, press 5, click."
            )
        self._on_changed()

    def _used_before(self, place: int) -> list[Any]:
        """Return the layers of the rows above a row."""
        choices = [c for row in self.rows[:place] for c in (row.bright_field, row.fluorescence)]
        return [choice.value for choice in choices if choice.value is not None]

    def _on_train(self) -> None:
        self.give(TRAIN)

    def _on_hold(self) -> None:
        self.give(HELD_OUT)

    def _on_changed(self, _value: object = None) -> None:
        self.remove_button.setVisible(len(self.rows) > 1)
        drawn = [row.shapes.value for row in self.rows if row.shapes.value is not None]
        for made in (self.train_button, self.hold_button):
            made.setEnabled(any(len(layer.data) for layer in drawn))
        self.changed.emit()

    @property
    def marks_any(self) -> bool:
        """Whether a region is marked as held out."""
        drawn = [row.shapes.value for row in self.rows if row.shapes.value is not None]
        return any(HELD_OUT in roles_of(layer) for layer in drawn)
