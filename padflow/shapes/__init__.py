"""Shapes of pitch-angle distributions: their names, and mean shapes of classes."""
