"""Writers of planes and images: atomic, and resumable where a movie is long."""
