"""The training loop: steps, losses, pace, best weights, several processes."""
