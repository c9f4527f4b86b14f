"""The dock `Track mitochondria`."""
