"""Rows of features to a trained network; the only package that imports TensorFlow."""
