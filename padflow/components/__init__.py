"""Codes of the autoencoder to scores: moments, principal components, noise."""
