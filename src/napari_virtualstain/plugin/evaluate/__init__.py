"""The dock `Evaluate staining`."""
