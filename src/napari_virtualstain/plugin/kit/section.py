"""A part of a form that folds away under a heading."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton, QVBoxLayout, QWidget

from .controls import new_form


class Section(QWidget):
    """Heading with a body that it shows or hides.

    Parameters
    ----------
    title : str
        Heading.
    tooltip : str
        What is inside.
    name : str
        Object name of the heading.
    is_open : bool
        Whether the body is visible at first.
    """

    def __init__(self, title: str, tooltip: str, *, name: str = "", is_open: bool = False) -> None:
        super().__init__()
        self.heading = QToolButton()
        self.heading.setText(title)
        self.heading.setToolTip(tooltip)
        self.heading.setObjectName(name)
        self.heading.setCheckable(True)
        self.heading.setChecked(is_open)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setStyleSheet("QToolButton { border: none; background: none; }")
        self.body = QWidget()
        self.room = QVBoxLayout(self.body)
        self.room.setContentsMargins(10, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.heading)
        layout.addWidget(self.body)
        self.heading.toggled.connect(self.unfold)
        self.unfold(is_open)

    def unfold(self, is_open: bool) -> None:
        """Show or hide the body."""
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.heading.setArrowType(arrow)
        self.body.setVisible(is_open)
        if self.heading.isChecked() != is_open:
            self.heading.setChecked(is_open)


class Advanced(Section):
    """Settings that most users leave alone, folded away."""

    def __init__(self) -> None:
        super().__init__("Advanced", "Settings that are rarely needed", name="advanced")
        self.form = new_form()
        self.room.addLayout(self.form)
