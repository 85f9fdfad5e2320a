# SPDX-License-Identifier: BSD-3-Clause
"""The page on which a reader chooses class, energy, region and storm phase: `sums` counts, `page` writes."""
