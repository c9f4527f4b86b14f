"""The dock `Virtual staining`."""
