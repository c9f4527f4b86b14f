"""The dock `Train virtual staining`."""
