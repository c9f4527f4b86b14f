"""Motion models: Kalman filters, mixture of motions, smoothing, two-sided likelihood."""
