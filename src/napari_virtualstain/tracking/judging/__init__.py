"""Judgement of tracks: error probability of links and tracks, random samples."""
