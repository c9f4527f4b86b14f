"""Scripts that measure what the manual claims."""
