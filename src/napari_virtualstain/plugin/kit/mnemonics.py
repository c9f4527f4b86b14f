"""Alt and an underlined letter for each control of a dock.

Letters of napari's menus are left to the menus. Where two open docks share a letter,
pressing it again goes on to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qtpy.QtWidgets import QAbstractButton, QLabel, QWidget

MENUS = frozenset("fvlpwhd")


def give_mnemonics(dock: QWidget, spared: Iterable[QWidget] = ()) -> None:
    """Underline a letter in the text of each control of `dock`, as far as there are letters.

    Parameters
    ----------
    dock : QWidget
        Calling this again changes nothing.
    spared : iterable of QWidget
        Controls that have a key of their own.
    """
    left_out = set(spared)
    named = [widget for widget in _named(dock) if widget not in left_out]
    taken = {letter for widget in named if (letter := _letter(widget.text()))}
    for widget in named:
        if not _letter(widget.text()):
            widget.setText(with_mnemonic(widget.text(), taken))
            taken.add(_letter(widget.text()))


def with_mnemonic(text: str, taken: Iterable[str]) -> str:
    """Return `text` with ``&`` before its first free letter, beginnings of words first.

    Examples
    --------
    >>> with_mnemonic("Pixel size", {"s"}), with_mnemonic("Split", set("splt"))
    ('P&ixel size', 'Spl&it')
    """
    used = {*MENUS, *taken}
    starts = [place for place in range(len(text)) if place == 0 or text[place - 1] == " "]
    for place in [*starts, *range(len(text))]:
        letter = text[place].lower()
        if letter.isascii() and letter.isalpha() and letter not in used:
            return f"{text[:place]}&{text[place:]}"
    return text


def _letter(text: str) -> str:
    """Return the letter behind ``&``, empty if there is none."""
    _, found, rest = text.partition("&")
    return rest[:1].lower() if found else ""


def _named(dock: QWidget) -> Iterator[QLabel | QAbstractButton]:
    """Yield labels that stand for a control, and buttons with a text."""
    for child in dock.findChildren(QWidget):
        if (isinstance(child, QLabel) and child.buddy() is not None) or (
            isinstance(child, QAbstractButton) and child.text().strip()
        ):
            yield child
