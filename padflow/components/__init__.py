"""Codes of the autoencoder to scores: moments, principal components, noise.

`IncrementalPCA` is an estimator by scikit-learn's contract, for use of its own.
"""

from padflow.components.pca import IncrementalPCA

__all__ = ["IncrementalPCA"]
