"""Scripts that reproduce the study of Somani et al. 2022."""
