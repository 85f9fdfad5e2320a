"""padflow: unsupervised classes of pitch-angle distributions, for every record of a mission."""

__version__ = "0.1.0"
