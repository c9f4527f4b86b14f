"""Controls of a random sample: drawing it, and going through it with the keys of the verdicts."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from ....errors import VirtualStainError
from ...kit.controls import Choice, IntegerBox, button, in_row, note
from ...kit.jobs import error_text
from ..host import Host
from .sample_judging import Item, RandomSample

_KEY = "sample"


class SamplePanel(QWidget):
    """Controls of a sample: its items one by one, and the share of right ones.

    Parameters
    ----------
    host : Host
        Whose tracks are judged.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self.sample: RandomSample | None = None
        self._now: Item | None = None
        self.what = Choice([("tracks", "tracks"), ("links", "links")])
        self.what.setObjectName("sample_of")
        self.what.setToolTip("Judge whole tracks, or single links: each in the frame it leads to")
        self.count = IntegerBox(30, 1, 1000)
        self.count.setObjectName("sample_count")
        self.count.setToolTip("Number of tracks or links to draw at random")
        self.seed = IntegerBox(0, 0, 10**6)
        self.seed.setPrefix("seed ")
        self.seed.setObjectName("sample_seed")
        self.seed.setToolTip("The same tracks and seed give the same sample")
        draw = button("Draw", "Draw a sample, and judge it with 1, 2, 3", self.draw, name="draw")
        self.text = note(name="sample_text")
        self.text.setMinimumHeight(2 * self.text.fontMetrics().lineSpacing())
        report = button("Report…", "Write the sample with its seed and interval", self.ask)
        report.setObjectName("sample_report")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(in_row(self.count, self.what, draw, stretch=1))
        layout.addWidget(in_row(self.seed, report, stretch=0))
        layout.addWidget(self.text)
        self.hide()

    @property
    def is_on(self) -> bool:
        """Whether verdicts are given to the sample."""
        return self.sample is not None and not self.isHidden()

    def draw(self) -> None:
        """Draw a sample and go to its first item."""
        if not len(self._host.model.tracks):
            self.text.setText("List tracks first.")
            return
        made = RandomSample.draw(
            self._host.model.tracks, str(self.what.value), self.count.value(), self.seed.value()
        )
        self.sample, self._now = made, None
        self._host.layer.metadata[_KEY] = made.to_record()
        self._host.model.note_sample(made.to_record())
        self.advance()

    def advance(self) -> None:
        """Go to the next item without a verdict."""
        if self.sample is None:
            return
        self.follow()
        self._now = self.sample.following(self._now)
        if self._now is None:
            self._host.say(f"The sample is judged: {self.sample.text()}.")
            return
        track, frame = self._now
        if track not in self._host.model.tracks:  # deleted, or joined with another
            gone = f"There is no track {track} of the sample any more"
            self._host.model.choose(None)  # a verdict would be of the track before
            self._host.say(f"{gone}: undo brings it back, N goes on.")
            return
        if frame < 0:
            self._host.go_to_worst(track)
            self._host.say(f"Track {track}: is it right? 1 ok, 2 wrong, 3 unsure.")
        else:
            self._host.go_to(track, frame)
            text = f"Track {track}: is the link into frame {frame} right?"
            self._host.say(f"{text} 1 ok, 2 wrong, 3 unsure.")

    def judge(self, verdict: str) -> bool:
        """Give the item on show a verdict and go on; False if it is not of the sample."""
        sample, chosen = self.sample, self._host.model.selection.track_id
        if not self.is_on or sample is None or self._now is None or chosen != self._now[0]:
            return False
        if self._now[1] < 0:
            self._host.model.judge(self._now[0], verdict)
        else:
            self._host.model.judge_link(self._now, verdict)
        self.advance()
        return True

    def take(self) -> None:
        """Go on with the sample that the layer holds."""
        record = self._host.layer.metadata.get(_KEY)
        self.sample = RandomSample.from_record(record) if record else None
        self._now = None
        self.follow()

    def follow(self) -> None:
        """Say how many items are right by the verdicts of the moment."""
        if self.sample is None:
            self.text.setText("")
            return
        self.sample.look_up(self._host.model.verdicts, self._host.model.link_verdicts)
        self.text.setText(self.sample.text())

    def ask(self) -> None:
        """Ask for a file, and write the report there."""
        path, _ = QFileDialog.getSaveFileName(
            self, "Save report", "track_sample.md", "Markdown (*.md)"
        )
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the report of the sample."""
        if self.sample is None:
            self.text.setText("Draw a sample first.")
            return
        self.follow()
        try:
            self.sample.write(path, str(self._host.layer.name))
        except (VirtualStainError, OSError) as error:
            self.text.setText(error_text(error))
            return
        self.text.setText(f"Saved {path.name}. {self.sample.text()}")
