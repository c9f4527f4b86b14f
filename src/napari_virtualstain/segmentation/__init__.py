"""Mitochondria as instances, and their measures."""
