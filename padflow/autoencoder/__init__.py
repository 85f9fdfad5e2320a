# SPDX-License-Identifier: BSD-3-Clause
"""Rows of features to a trained network; the only package that imports TensorFlow."""
