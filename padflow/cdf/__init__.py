# SPDX-License-Identifier: BSD-3-Clause
"""One CDF file to records; the only package, beside the simulation, that imports cdflib."""
