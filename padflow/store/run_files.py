# SPDX-License-Identifier: BSD-3-Clause
"""Names of the files and folders of a run directory, for all modules that read or write one.

The report and the Dask cluster write into a run directory too, and may not import `padflow.pipeline`. So the names are
here. `padflow.pipeline.directory.RunDirectory` makes paths of them, and reads the JSON files.
"""

from __future__ import annotations

ARCHIVE, RESULTS = "archive.zarr", "results.zarr"
"""The stores: records, and their scores and labels."""


CONFIG = "config.yaml"
"""The configuration that the run was made with."""


PROVENANCE = "run.json"
"""Versions of padflow and its libraries, the machine, and the time of each stage."""


CATALOG = "catalog.json"
"""The catalogue of the CDF files (`padflow.archive.catalog`)."""


SUMMARY = "summary.nc"
"""The numbers that the report draws."""


SUPERPOSED = "superposed.nc"
"""Occurrence in storms or other events, where `padflow report` was given some."""


MODEL, MODEL_FACTS = "model", "model.json"
"""Folder of the model, and the file in it that describes the model."""


REPORT, PAGE, FIGURES_FOLDER, TABLES_FOLDER = "report", "index.html", "figures", "tables"
"""Folder of the report, and the files and folders in it."""


EXPLORER = "explorer.html"
"""The page of `padflow explore`, in the folder of the report."""


PERFORMANCE = "performance.html"
"""Dask's own report of its tasks, in the folder of the report."""


FIT, RECEIPTS = "fit", "receipts"
"""Folder of what the fits leave, and folder of the receipts of all parts and stages."""


PROGRESS, LOCK = "progress.json", ".lock"
"""Files of a run at work: its progress, and the lock of the directory."""
