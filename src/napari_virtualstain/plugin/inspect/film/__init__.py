"""Film of one mitochondrion: all frames of its life, on the screen and in files."""
