"""Judging a random sample of tracks or links."""
