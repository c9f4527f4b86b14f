"""Judgement of a random sample of tracks or links."""
