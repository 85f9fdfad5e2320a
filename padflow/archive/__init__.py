# SPDX-License-Identifier: BSD-3-Clause
"""From CDF files to an aligned Zarr archive: names and versions, reading, planning, ingest, simulation."""
