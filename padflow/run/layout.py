"""Names of what is in a run directory."""

ARCHIVE, RESULTS, FIT = "archive.zarr", "results.zarr", "fit"
NETWORK, ENCODER, CLASSES, SPLIT = "network.npz", "encoder.npz", "classes.npz", "split.json"
