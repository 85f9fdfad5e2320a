"""Names of the files and folders of a run directory, for all who read or write one.

They stand in this room because the report and the Dask cluster write into a run directory too, and may not know of the
pipeline. `padflow.pipeline.directory.RunDirectory` makes paths of them, with a reader for each JSON file.
"""

from __future__ import annotations

ARCHIVE, RESULTS = "archive.zarr", "results.zarr"
"""The stores: records, and their scores and labels."""


CONFIG = "config.yaml"
"""The configuration that the run was made with."""


PROVENANCE = "run.json"
"""Which versions of what made the run, on which machine, and how long its stages took."""


CATALOG = "catalog.json"
"""Each CDF file with its fate (`padflow.archive.catalog`)."""


SUMMARY = "summary.nc"
"""What the report draws."""


MODEL, MODEL_FACTS = "model", "model.json"
"""Folder of the model, and the file in it that describes the model."""


REPORT, PAGE, FIGURES_FOLDER, TABLES_FOLDER = "report", "index.html", "figures", "tables"
"""Folder of the report, and what is in that folder."""


PERFORMANCE = "performance.html"
"""Dask's own report of its tasks, in the folder of the report."""


FIT, RECEIPTS = "fit", "receipts"
"""Folders of what the fits leave, and of a receipt for each part of each stage."""


PROGRESS, LOCK = "progress.json", ".lock"
"""Files of a run at work: how far it is, and who holds the directory."""
