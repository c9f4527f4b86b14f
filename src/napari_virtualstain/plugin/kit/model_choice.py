"""The drop-down of models with the card of the chosen one; knows no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from qtpy.QtCore import QEvent, QFileSystemWatcher, QObject, Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout

from ...errors import VirtualStainError
from ...hooks import add_on_key, add_on_name, generators, segmenters
from .controls import Choice, add_row, button, in_row, note, plain_tooltip


class ModelChoice(QObject):
    """Models of one kind: shipped, own, and opened or dropped from a file.

    Parameters
    ----------
    kind : {"generator", "segmenter"}
        Which models are offered.
    form : QFormLayout
        Receives the rows.
    text : str
        Label of the row.
    brief : bool
        Whether the card is cut to pixel size and scores; the tooltip has the rest.
    """

    changed = Signal()

    def __init__(
        self,
        kind: Literal["generator", "segmenter"],
        form: QFormLayout,
        *,
        text: str = "Model",
        brief: bool = False,
    ) -> None:
        super().__init__()
        self.kind: Literal["generator", "segmenter"] = kind
        self._brief = brief
        self._opened: list[Path] = []
        self._picked = False
        self._announced: str | None = None
        self.replaced = ""  # a sentence, once the chosen model has vanished
        self._cards: dict[str, Any] = {}
        self.combo = Choice()
        more = button(
            "…", "Open a model file (.safetensors); it can also be dropped here", self._browse
        )
        more.setMaximumWidth(32)
        more.setAccessibleName("Open a model file")
        self._row = row = in_row(self.combo, more)
        self.setParent(row)  # dies with the dock, in the GUI thread
        # this object only holds the row together; what is dropped falls on the row
        for target in (row, self.combo, more):
            target.setAcceptDrops(True)
            target.installEventFilter(self)
        add_row(
            form, text, row, f"The {kind}; your own models are listed as soon as they are saved"
        )
        self.combo.setObjectName("model")
        self.combo.setToolTip(row.toolTip())
        self.card_note = note(name="model_card")
        form.addRow(self.card_note)
        self.combo.currentIndexChanged.connect(self._on_chosen)
        self.combo.activated.connect(self._on_picked)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._on_folder)
        self.refresh()

    @property
    def value(self) -> str | None:
        """Path of the chosen model, or the name of an add-on's; None when there is none."""
        chosen = self.combo.currentData()
        return str(chosen) if chosen else None

    @value.setter
    def value(self, name_or_path: str) -> None:
        self._picked, self.replaced = True, ""
        for index in range(self.combo.count()):
            data = self.combo.itemData(index)
            if data and name_or_path in (data, self.combo.itemText(index), Path(data).stem):
                self.combo.setCurrentIndex(index)
                return
        self.open_file(Path(name_or_path))

    @property
    def card(self) -> Any:
        """The card of the chosen model, or None."""
        return self._cards.get(self.value or "")

    def set_wanted(self, wanted: bool) -> None:
        """Offer the models, or show that none is asked for."""
        self._row.setEnabled(wanted)
        self.card_note.setVisible(wanted and bool(self.card_note.text()))

    def refresh(self) -> None:
        """List the models of the moment and keep the choice."""
        from ...models import default_model, list_models, user_model_folder

        before, former = self.value, self._cards
        entries: list[tuple[str, Any, Any]] = [
            (entry.name, entry.path, entry.card) for entry in list_models(self.kind)
        ]
        opened = [path for path in self._opened if path.exists()]
        entries.extend((path.stem, path, self._read(path)) for path in opened)
        added = generators() if self.kind == "generator" else segmenters()
        entries.extend((name, add_on_key(name), None) for name in sorted(added))
        try:
            preferred = default_model(self.kind)
        except VirtualStainError:
            preferred = ""
        if before is not None and before not in {str(path) for _, path, _ in entries}:
            before = _renamed(before, former, entries)
        blocked = self.combo.blockSignals(True)
        self.combo.clear()
        self._cards = {}
        wanted = 0
        for index, (name, path, card) in enumerate(entries):
            self.combo.addItem(name, str(path))
            self._cards[str(path)] = card
            if str(path) == before or (before is None and name == preferred):
                wanted = index
        if not entries:
            self.combo.addItem("no model installed", None)
        self.combo.setEnabled(bool(entries))
        self.combo.setCurrentIndex(wanted)
        self.combo.blockSignals(blocked)
        if entries and before is not None and before not in self._cards:
            self.replaced = (
                f"The model {Path(before).stem!r} is gone; {self.combo.currentText()!r} is chosen "
                "in its place."
            )
        folder = user_model_folder()
        if folder.is_dir() and str(folder) not in self._watcher.directories():
            self._watcher.addPath(str(folder))
        self._on_chosen()

    def open_file(self, path: Path) -> None:
        """Add the model file at `path` and choose it; a bad file is explained in the card."""
        try:
            card = self._read(path)
            if card.kind != self.kind:
                self._tell(f"{path.name} is a {card.kind}, not a {self.kind}.")
                return
        except VirtualStainError as error:
            self._tell(str(error))
            return
        if path not in self._opened:
            self._opened.append(path)
        self.refresh()
        self.combo.setCurrentIndex(self.combo.findData(str(path)))

    def suggest(self, name: str) -> None:
        """Choose the model called `name`, unless there is none or the user has chosen."""
        place = self.combo.findText(name)
        if not self._picked and place >= 0:
            self.combo.setCurrentIndex(place)

    def why_not(self) -> str | None:
        """Return why no model can be used, None when one can."""
        if self.value is None:
            return f"No {self.kind} is installed. Open a model file with the button … beside Model."
        return None

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Accept model files that are dropped on the row, and open them."""
        if event.type() not in (QEvent.Type.DragEnter, QEvent.Type.Drop):
            return bool(super().eventFilter(watched, event))
        dropped = [Path(url.toLocalFile()) for url in event.mimeData().urls()]
        models = [path for path in dropped if path.suffix == ".safetensors"]
        if models:
            event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            for path in models:
                self.open_file(path)
        return True

    def _on_folder(self, _folder: str) -> None:
        self.refresh()

    def _on_picked(self, _index: int) -> None:
        self._picked, self.replaced = True, ""
        self._on_chosen()

    def _tell(self, text: str) -> None:
        self.card_note.setText(text)
        self.card_note.setVisible(bool(text) and self._row.isEnabled())

    @staticmethod
    def _read(path: Path) -> Any:
        from ...models import read_card

        return read_card(path)

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.combo.window(), "Open model", "", "Models (*.safetensors)"
        )
        if path:
            self.open_file(Path(path))

    def _on_chosen(self, *_: Any) -> None:
        card = self.card
        text = "" if card is None else facts_text(card) if self._brief else card_text(card)
        self.card_note.setToolTip("" if card is None else plain_tooltip(full_text(card)))
        if add_on_name(self.value) is not None:
            text = "Added by another package."
        self._tell(f"{self.replaced}\n{text}".strip())
        if self.value != self._announced:  # listing the folder again is no news
            self._announced = self.value
            self.changed.emit()


def _renamed(before: str, former: dict[str, Any], entries: list[tuple[str, Any, Any]]) -> str:
    """Return the path of the model that was at `before`, which is another after a renaming."""
    known = former.get(before)
    for _, path, card in entries:
        if known is None or card is None or str(path) in former:
            continue
        if card.model_copy(update={"name": known.name}) == known:
            return str(path)
    return before


def card_text(card: Any) -> str:
    """Return what a user wants to know of a model: for what it is, pixel size, pairs, scores."""
    what = card.description.split(". ")[0].removesuffix(".")
    return "\n".join(part for part in (what and f"{what}.", facts_text(card)) if part)


def facts_text(card: Any) -> str:
    """Return pixel size, training pairs, weight of the PSF term, and held-out scores of a model."""
    facts = []
    if card.pixel_size_um:
        facts.append(f"{card.pixel_size_um * 1000:.0f} nm/px")
    if pairs := card.split.get("train_pairs", card.data.get("pairs")):
        facts.append(f"trained on {pairs} pairs")
    if weight := card.loss.get("weighted_l1"):
        kind = str(card.loss.get("weight_map", "")).replace("psf_deconvolution", "PSF")
        facts.append(f"{kind.replace('_', ' ')}-weighted L1, weight {weight:g}")
    facts.append(scores_text(card.scores))
    return "; ".join(fact for fact in facts if fact)


def full_text(card: Any) -> str:
    """Return the whole description of a model, and where its training data are from."""
    source = card.data.get("source")
    parts = (card.description, facts_text(card), f"Data: {source}" if source else "")
    return "\n".join(part for part in parts if part)


def scores_text(scores: dict[str, Any]) -> str:
    """Return the held-out scores of a card beside the best trivial baseline.

    Examples
    --------
    >>> scores_text({
    ...     "virtual stain": {"pearson": {"mean": 0.6}},
    ...     "bright-field": {"pearson": {"mean": 0.1}},
    ... })
    'held out: Pearson 0.60 (best baseline 0.10)'
    """
    parts = []
    for name, text in (("pearson", "Pearson"), ("bandpass_pearson", "band-pass Pearson")):
        means = {method: _mean(values, name) for method, values in scores.items()}
        own = means.pop("virtual stain", None)
        others = [mean for mean in means.values() if mean is not None]
        if own is not None:
            beside = f" (best baseline {max(others):.2f})" if others else ""
            parts.append(f"{text} {own:.2f}{beside}")
    return "held out: " + ", ".join(parts) if parts else ""


def _mean(values: Any, name: str) -> float | None:
    score = values.get(name) if isinstance(values, dict) else None
    mean = score.get("mean") if isinstance(score, dict) else None
    return float(mean) if isinstance(mean, int | float) else None
