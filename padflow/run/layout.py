"""Names of what is in a run directory."""

ARCHIVE, RESULTS, FIT, CATALOG = "archive.zarr", "results.zarr", "fit", "catalog.json"
NETWORK, ENCODER, CLASSES, SPLIT = "network.npz", "encoder.npz", "classes.npz", "split.json"
