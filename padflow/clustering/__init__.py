# SPDX-License-Identifier: BSD-3-Clause
"""Clustering of scores: mean shift (how many classes), k-means (the classes), Ward, and metrics of classes."""
