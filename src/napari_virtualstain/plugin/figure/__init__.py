"""The dock `Export figure`."""
