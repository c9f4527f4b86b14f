"""Tables, sessions and edit logs on the disk."""
