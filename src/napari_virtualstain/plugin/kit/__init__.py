"""Widgets, jobs and the base of every dock."""
