"""Reading and writing images, lazily and atomically."""
