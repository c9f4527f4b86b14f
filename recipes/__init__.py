"""Scripts that make the shipped models and the images they learn from."""
