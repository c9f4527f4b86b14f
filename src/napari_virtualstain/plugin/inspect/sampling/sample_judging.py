"""Judgement of a random sample of tracks or links, without Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ....tracking import EditableTracks, draw_links, draw_tracks, share_right

Item = tuple[int, int]


@dataclass(slots=True)
class RandomSample:
    """Tracks or links that were drawn at random, and their verdicts.

    Attributes
    ----------
    what : {"tracks", "links"}
        What was drawn; a link is judged in the frame that it leads to.
    seed : int
        Of the draw: the same tracks and seed give the same sample.
    population : int
        Number of tracks of the movie.
    items : list of (track, frame)
        In the order drawn; frame -1 for a whole track.
    verdicts : dict
        Verdict of each item that has one, as :meth:`look_up` found it last.
    """

    what: str
    seed: int
    population: int
    items: list[Item]
    verdicts: dict[object, str] = field(default_factory=dict)

    @classmethod
    def draw(cls, tracks: EditableTracks, what: str, count: int, seed: int) -> RandomSample:
        """Return a new sample.

        Parameters
        ----------
        tracks : EditableTracks
            All tracks.
        what : {"tracks", "links"}
            What is drawn.
        count : int
            How many; fewer where there are no more.
        seed : int
            Of the random numbers.
        """
        names = [n for n in ("track_id", "frame", "interpolated") if n in tracks.columns]
        table = tracks.to_frame()[names]
        if what == "links":
            drawn = draw_links(table, count, seed)
            items = [(int(t), int(f)) for t, f in drawn[["track_id", "frame"]].to_numpy()]
        else:
            items = [(track, -1) for track in draw_tracks(table, count, seed)]
        return cls(what, seed, len(tracks), items)

    def look_up(self, tracks: Mapping[int, str], links: Mapping[Item, str]) -> None:
        """Take the verdicts of the items from those of all tracks and links."""
        if self.what == "links":
            found = {item: links.get(item, "") for item in self.items}
        else:
            found = {item: tracks.get(item[0], "") for item in self.items}
        self.verdicts = {item: verdict for item, verdict in found.items() if verdict}

    @property
    def is_done(self) -> bool:
        """Whether each item has a verdict."""
        return len(self.verdicts) == len(self.items)

    def following(self, now: Item | None) -> Item | None:
        """Return the next item without a verdict, going round; None if there is none."""
        begin = self.items.index(now) + 1 if now in self.items else 0
        for item in self.items[begin:] + self.items[:begin]:
            if item not in self.verdicts:
                return item
        return None

    def text(self) -> str:
        """Return how far the judging is, and the share of right ones with its interval."""
        share = share_right(self.verdicts)
        done = f"{len(self.verdicts)} of {len(self.items)} {self.what} judged"
        return f"{done}; {share}" if share.judged else done

    def report(self, source: str) -> str:
        """Return the sample as a page of Markdown.

        Parameters
        ----------
        source : str
            Name of the tracks.
        """
        share = share_right(self.verdicts)
        unsure = sum(verdict == "unsure" for verdict in self.verdicts.values())
        rows = pd.DataFrame([(t, f, self.verdicts.get((t, f), "")) for t, f in self.items])
        lines = [f"| {t} | {'' if f < 0 else f} | {v} |" for t, f, v in rows.to_numpy()]
        return "\n".join(
            [
                f"# Random sample of {self.what}",
                "",
                f"- Tracks: {source}, {self.population} in all",
                f"- Drawn at random: {len(self.items)} {self.what}, seed {self.seed}",
                f"- Judged: {len(self.verdicts)}, of which unsure and not counted: {unsure}",
                f"- Right {self.what}: {share}, Wilson score interval at 95 %",
                f"- Date: {datetime.now(UTC).date().isoformat()}",
                "",
                "| track | frame | verdict |",
                "| --- | --- | --- |",
                *lines,
                "",
            ]
        )

    def write(self, path: Path, source: str) -> Path:
        """Write the report; one that is there is replaced."""
        from ....io import write_text_atomically

        return write_text_atomically(path, self.report(source), overwrite=True)

    def to_record(self) -> dict[str, Any]:
        """Return the sample for the layer's metadata and the session."""
        return {
            "what": self.what,
            "seed": self.seed,
            "population": self.population,
            "items": [list(item) for item in self.items],
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> RandomSample:
        """Return the sample that :meth:`to_record` wrote."""
        items = [(int(t), int(f)) for t, f in record["items"]]
        seed, population = int(record["seed"]), int(record["population"])
        return cls(str(record["what"]), seed, population, items)
