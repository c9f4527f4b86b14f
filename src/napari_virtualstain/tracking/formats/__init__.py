"""File formats of tracks: CSV, TrackMate XML, Cell Tracking Challenge, GEFF."""
