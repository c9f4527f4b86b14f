"""The dock `Track inspector`."""
