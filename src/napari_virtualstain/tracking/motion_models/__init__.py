"""Motion models: Kalman filters, the mixture of two motions, smoothing, two-sided likelihood."""
