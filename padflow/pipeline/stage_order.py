"""The stages of a run, in their order. Each is declared here, once; the command line, the guard and others read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from padflow.store.run_files import ARCHIVE, FIT, MODEL, MODEL_FACTS, RECEIPTS, RESULTS


@dataclass(frozen=True)
class Stage:
    """One stage.

    Parameters
    ----------
    name : str
        As for ``--from``; receipts, faults on purpose and ``run.json`` have it, too.
    kind : {"parts", "fit", "report"}
        Whether it does each part, with a receipt for each; fits something, and leaves ``fit/NAME.json`` last; or shows
        what came out.
    function : str
        ``module:function``, which gets the run and does what is not done yet. The driver imports it when it is needed;
        the command line, which knows stages by name, does not.
    leaves : tuple of str
        What it leaves in the run directory beside its receipts, in the order in which it is to be removed. The last
        says that the stage is done.
    keys : tuple of str
        Keys, and sections, of the configuration of which it is the first stage to make use.
    """

    name: str
    kind: Literal["parts", "fit", "report"]
    function: str
    leaves: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


STAGES = (
    Stage(
        "ingest",
        "parts",
        "padflow.pipeline.stages.archive:ingest",
        leaves=(ARCHIVE,),
        keys=("archive.instrument", "archive.rows_per_part", "archive.spacecraft", "archive.start"),
    ),
    Stage(
        "train",
        "fit",
        "padflow.pipeline.stages.fit:fit_autoencoder",
        leaves=(f"{FIT}/train.json",),
        keys=("preprocess", "train", "seed"),
    ),
    Stage(
        "pca",
        "fit",
        "padflow.pipeline.stages.fit:fit_components",
        leaves=(RESULTS, f"{RECEIPTS}/moments", f"{FIT}/moments", f"{FIT}/pca.json"),
        keys=("pca",),
    ),
    Stage("score", "parts", "padflow.pipeline.stages.label:score"),
    Stage(
        "classes",
        "fit",
        "padflow.pipeline.stages.fit:fit_classes",
        leaves=(f"{MODEL}/{MODEL_FACTS}", f"{FIT}/fixed.json", f"{FIT}/classes.json"),
        keys=("mean_shift", "kmeans", "agglomerative", "method"),
    ),
    Stage("label", "parts", "padflow.pipeline.stages.label:label"),
    Stage(
        "report",
        "report",
        "padflow.pipeline.stages.finish:finish",
        leaves=(f"{RECEIPTS}/summary", f"{FIT}/summary.json"),
    ),
)
"""All of them. The keys of `archive` that none names only say which files there are: parts whose content they change
are found by their own keys. The section `cluster` changes no result."""


STAGE_NAMES = tuple(stage.name for stage in STAGES)


def stages_from(name: str) -> tuple[Stage, ...]:
    """Return a stage and those after it."""
    return STAGES[STAGE_NAMES.index(name) :]


def stages_to(name: str) -> tuple[Stage, ...]:
    """Return a stage, and before it those before it."""
    return STAGES[: STAGE_NAMES.index(name) + 1]
