"""Valid inputs of every reader, and their mutations, for `fuzz_readers.py`."""
