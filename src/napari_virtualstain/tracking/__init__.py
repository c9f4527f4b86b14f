"""Identities of mitochondria through time."""
