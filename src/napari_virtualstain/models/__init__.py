"""Networks, model files with their cards, and the shipped models."""
