"""Zarr stores and durable files."""
