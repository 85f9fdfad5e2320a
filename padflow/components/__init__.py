# SPDX-License-Identifier: BSD-3-Clause
"""Codes of the autoencoder to scores: moments, principal components, noise."""
