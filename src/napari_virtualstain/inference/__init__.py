"""Staining of images and movies."""
