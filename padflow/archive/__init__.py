"""From CDF files to an aligned Zarr archive: names and versions, reading, planning, ingest, simulation."""
