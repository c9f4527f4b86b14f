"""How true a virtual stain is."""
