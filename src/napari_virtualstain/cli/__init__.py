"""The virtualstain command."""
