"""Fission and fusion: candidates, their probability, how long both sides last, clumps."""
