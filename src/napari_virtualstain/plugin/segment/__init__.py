"""The dock `Segment mitochondria`."""
