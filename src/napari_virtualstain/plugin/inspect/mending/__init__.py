"""Edits of tracks and of their masks."""
