"""One CDF file to records; the only package, beside the simulation, that imports cdflib."""
