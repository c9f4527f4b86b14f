"""The dock `Run all`."""
