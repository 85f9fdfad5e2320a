# SPDX-License-Identifier: BSD-3-Clause
"""Zarr stores and durable files."""
