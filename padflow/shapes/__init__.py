# SPDX-License-Identifier: BSD-3-Clause
"""Shapes of pitch-angle distributions: names, what is measured of single ones, and mean shapes of classes."""
