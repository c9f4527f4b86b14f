"""Editing tracks in place: a store with inverses, the edits, and a log that repeats them."""

from .edit_log import (
    ACTIONS,
    LINK_VERDICT,
    SAMPLE,
    VERDICT,
    EditLog,
    Replay,
    anchor,
    movie_identity,
    perform,
    replay,
)
from .editable import Change, EditableTracks
from .edits import EVENT_KINDS, members
from .partners import partners

__all__ = [
    "ACTIONS",
    "EVENT_KINDS",
    "LINK_VERDICT",
    "SAMPLE",
    "VERDICT",
    "Change",
    "EditLog",
    "EditableTracks",
    "Replay",
    "anchor",
    "members",
    "movie_identity",
    "partners",
    "perform",
    "replay",
]
