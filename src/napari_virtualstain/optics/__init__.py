"""Point spread functions, deconvolution and weight maps."""
