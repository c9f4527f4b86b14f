"""The dock `Load time-lapse`."""
