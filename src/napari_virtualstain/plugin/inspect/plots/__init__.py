"""Plots of tracks over time and as distributions, and their lineage."""
