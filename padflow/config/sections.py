# SPDX-License-Identifier: BSD-3-Clause
"""The configuration: one frozen, typed model of the YAML file; every key is documented where it is defined.

Unknown keys are errors. Sizes and times may be words (``"2GiB"``, ``"2min"``), as Dask writes them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from padflow.config.cluster import ClusterConfig
from padflow.config.local_paths import NOT_LOCAL, is_url
from padflow.config.types import Day, Moment, PathText, Seconds, Section
from padflow.facts import as_html, as_text
from padflow.records import BLOCK_ROWS

Span = tuple[float, float]


Share = Annotated[float, Field(gt=0, lt=1)]


Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy, scikit-learn and Keras all take


class ArchiveConfig(Section):
    """Which files make the archive."""

    source: PathText | None = Field(
        None, description="Folder of CDF files, at any depth, laid out as at SPDF or flat; ~ is expanded."
    )
    instrument: str = Field(
        "rept",
        description="rept, mageis, hope, elfin-epd-hs, elfin-epd-fs, or the path of a YAML file of your own.",
    )
    spacecraft: tuple[str, ...] | None = Field(
        None, description="Which spacecraft, such as rbspa or [rbspa, rbspb]; null takes all that are found."
    )
    start: Day | None = Field(None, description="First UTC day (YYYY-MM-DD); null is the first there is.")
    end: Day | None = Field(None, description="Last UTC day, included; null is the last there is.")
    rows_per_part: Annotated[int, Field(ge=BLOCK_ROWS, multiple_of=BLOCK_ROWS)] = Field(
        32 * BLOCK_ROWS,
        description=f"Records in one part, the unit of work and of writing; a multiple of {BLOCK_ROWS}. "
        "It is never chosen from the number of workers, so results do not depend on them.",
    )

    @field_validator("spacecraft", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        names = [value] if isinstance(value, str) else value
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            return tuple(sorted({name.lower() for name in names}))
        return names

    @field_validator("source", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        # Absolute: workers may run in another folder than the command.
        return None if value is None else value.expanduser().absolute()

    @field_validator("instrument", mode="after")
    @classmethod
    def _expand_instrument(cls, value: str) -> str:
        if is_url(value):
            raise ValueError(NOT_LOCAL)
        return str(Path(value).expanduser().absolute()) if value.lower().endswith((".yaml", ".yml")) else value

    @model_validator(mode="after")
    def _ordered(self) -> ArchiveConfig:
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        if self.spacecraft is not None and not self.spacecraft:
            raise ValueError("spacecraft is an empty list; name at least one, or use null for all")
        return self


class PreprocessConfig(Section):
    """From a record of flux to a row of features; part of the fitted model."""

    time_range: tuple[Moment, Moment] | None = Field(
        None, description="Use only records from the first time (included) to the second (not included), UTC."
    )
    l_variable: Literal["L_star", "L"] = Field("L_star", description="Which L the range below refers to.")
    l_range: Span | None = Field(
        None,
        description="Use only records with lowest <= L < highest, such as [2.5, 7]. Records whose L is "
        "missing get a reason of their own.",
    )
    energy_range: Span | None = Field(
        None, description="Use only energy channels from lowest to highest, in MeV, both included."
    )
    min_valid_channels: Annotated[int, Field(ge=0)] = Field(
        1, description="Fewest pitch-angle x energy bins with a value (before folding and averaging)."
    )
    keep_empty: bool = Field(
        False, description="Keep records without a single count, as rows of zeros (as the paper did)."
    )
    min_flux: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Smallest peak flux of a record, cm-2 s-1 sr-1 MeV-1, after folding and averaging."
    )
    min_counts: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="Fewest counts of a record, summed over its bins and over the records averaged into it; "
        "from the flux and the instrument's geometric factor, accumulation time and channel widths.",
    )
    min_filled_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="Least share of a record's valid bins whose flux is above zero, after folding and averaging. Below "
        "it a record has too few counts: m counts a bin fill a share of 1 - exp(-m). It needs no geometric factor; 0 "
        "is off.",
    )
    fold: bool = Field(True, description="Average each pitch angle with its mirror about 90 degrees.")
    average_seconds: Seconds = Field(
        0.0, description="Average over a running window of this length centred on each record; 0 is off."
    )
    max_gap_seconds: Annotated[Seconds, Field(gt=0)] = Field(
        60.0, description="Records further apart than this, and what lies beyond, are not averaged together."
    )
    normalise: Literal["max", "pa90", "energy_max", "count_shares", "counts", "none"] = Field(
        "max",
        description="Divide each record by its largest value (max), each energy by its value at 90 degrees "
        "(pa90) or by its own largest value (energy_max), or nothing (none); or take the square root of each "
        "energy's share of counts in each pitch angle (count_shares), which makes the noise of all bins alike; or "
        "take the counts of the window as they are (counts), for train.target=other_spins.",
    )
    prior_counts: Annotated[float, Field(ge=0)] = Field(
        50.0,
        description="With normalise=count_shares: counts by which each energy leans on the shape of all energies "
        "together, so that an energy with few counts brings little noise.",
    )

    @field_validator("l_range", "energy_range", "time_range")
    @classmethod
    def _ascending(cls, value: tuple | None) -> tuple | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"the range must ascend, but {value[0]} is not below {value[1]}")
        return value

    @field_validator("time_range")
    @classmethod
    def _naive_utc(cls, value: tuple | None) -> tuple | None:
        if value is not None and any(t.tzinfo is not None for t in value):
            raise ValueError("times are UTC and carry no time zone; write 2013-03-17T06:00:00")
        return value


class TrainConfig(Section):
    """The autoencoder and the rows it learns from."""

    split: Literal["day", "row"] = Field(
        "day",
        description="Deal whole days, or single records (as the paper did: neighbouring spins are nearly "
        "equal, so validation on them flatters), into training, validation and test.",
    )
    split_seed: Seed | None = Field(None, description="Seed of the split; null is the general seed.")
    train_share: Share = Field(0.6, description="Share of the days or records to train on.")
    validation_share: Share = Field(0.2, description="Share for early stopping; what is left over is for test.")
    target: Literal["itself", "other_spins"] = Field(
        "itself",
        description="What the autoencoder learns to give: its input, by least squares (itself); or how the counts of "
        "the odd spins of the window are shared out, from those of the even spins, and the other way round, by the "
        "multinomial likelihood (other_spins), so that it learns no counting noise. That needs normalise=counts, and "
        "a window of several spins; 14 epochs with a learning rate of 2e-3 are enough.",
    )
    code_size: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Width of the code; null is half the number of features, or 16 with target=other_spins.",
    )
    epochs: Annotated[int, Field(ge=1)] = Field(200, description="Most epochs.")
    batch_size: Annotated[int, Field(ge=1)] = Field(256, description="Rows per gradient step.")
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        5e-4, description="Adam's step; with target=other_spins the first one, which falls to 0 over all epochs."
    )
    patience: Annotated[int, Field(ge=1)] = Field(
        5, description="Stop after this many epochs without a better validation loss."
    )
    restore_best: bool = Field(True, description="Keep the weights of the best epoch, not of the last.")
    max_rows: Annotated[int, Field(ge=1)] = Field(
        131_072, description="Most rows held in memory and seen in one epoch, drawn at random in blocks."
    )
    max_validation_rows: Annotated[int, Field(ge=1)] = Field(
        32_768, description="Most rows the validation loss is computed from."
    )
    refresh_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.25,
        description="Share of the rows in memory replaced after each epoch by others of the archive, where "
        "it has more than max_rows.",
    )

    @model_validator(mode="after")
    def _shares(self) -> TrainConfig:
        if self.train_share + self.validation_share > 1:
            raise ValueError("train_share and validation_share add up to more than 1")
        return self


class PcaConfig(Section):
    """Principal components of the codes."""

    components: Annotated[int, Field(ge=1)] = Field(3, description="Number of components kept as scores.")
    scale: Literal["none", "noise"] = Field(
        "none",
        description="none: principal components as they are. noise: the combinations of the first 8 of what "
        "codes decode to whose signal stands out most over noise, in units of the noise; noise is how neighbouring "
        "records differ (Green 1988).",
    )
    rows: Literal["all", "test"] = Field(
        "all",
        description="Records that components and classes are fitted to: all that are selected, or only those "
        "of the test split (as the paper did). Every selected record is labelled either way.",
    )


class MeanShiftConfig(Section):
    """How many classes there are."""

    samples: Annotated[int, Field(ge=10)] = Field(20_000, description="Scores in one subsample.")
    repeats: Annotated[int, Field(ge=1)] = Field(
        5, description="Subsamples, clustered in parallel; the classes that two thirds of them find are taken."
    )
    quantile: Share = Field(0.1, description="Quantile of pairwise distances that estimates the bandwidth.")
    bandwidth_samples: Annotated[int, Field(ge=2)] = Field(6000, description="Scores the estimate is made from.")
    bandwidth: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="Bandwidth in units of the scores, with pca.scale noise of scores as they are softened for mean "
        "shift (padflow/components/projection.py), while that of the search that confirms modes is estimated; null "
        "estimates it.",
    )
    starts: Annotated[int, Field(ge=10)] | None = Field(
        None,
        description="Records, drawn at random, that mean shift starts from: some hundreds where there are more than "
        "three components; null starts from every occupied cube of the bandwidth (as the paper did).",
    )
    min_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.01, description="Classes with a smaller share of the subsample are specks and do not count."
    )
    seed: Seed | None = Field(None, description="Seed of subsamples and bandwidth; null is the general seed.")


class KMeansConfig(Section):
    """The classes themselves."""

    classes: Annotated[int, Field(ge=2)] | Literal["mean_shift"] = Field(
        "mean_shift", description="Number of classes: at least 2, or mean_shift for the number found there."
    )
    init: Literal["modes", "k-means||", "k-means++"] = Field(
        "modes",
        description="First centres: the modes of mean shift, or one of the starts below that ends better on a "
        "subsample; k-means||; or scikit-learn's k-means++ on at most a million scores (as the paper did).",
    )
    starts: Annotated[int, Field(ge=0)] = Field(
        10, description="Starts drawn by k-means++ on a subsample that the modes are compared with."
    )
    fit_to: Literal["all", "near_modes"] = Field(
        "all",
        description="Scores the centres are fitted to: all, or those within a bandwidth of a mode, so that records "
        "between the populations or far from all do not pull at the centres. Every record is labelled either way.",
    )
    assign: Literal["nearest", "likeliest"] = Field(
        "nearest",
        description="Which class a record takes: that of the nearest centre, so that borders lie halfway between "
        "centres; or the likeliest, by the place, spread and share that each class of k-means has on the subsamples of "
        "mean shift (a mixture of Student's t distributions). A class is left out if it loses all its records.",
    )
    shape_energies: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None,
        description="Energies in MeV at which classes tell the shape where the archive is a continuum and the "
        "autoencoder was trained on other spins; the nearest channels are taken; null is the lowest.",
    )
    max_iter: Annotated[int, Field(ge=1)] = Field(300, description="Most iterations.")
    tol: Annotated[float, Field(ge=0)] = Field(
        1e-4, description="Stop when the centres move less, relative to the variance (as in scikit-learn)."
    )
    silhouette_samples: Annotated[int, Field(ge=0)] = Field(
        10_000, description="Scores the silhouette is computed from; 0 leaves it out."
    )
    seed: Seed | None = Field(None, description="Seed of the first centres; null is the general seed.")


class AgglomerativeConfig(Section):
    """Ward's agglomerative clustering, the alternative to k-means."""

    samples: Annotated[int, Field(ge=10)] = Field(
        10_000, description="Scores that are clustered; memory grows with the square of it."
    )


FIT_SECTIONS = ("train", "pca", "mean_shift", "kmeans", "agglomerative", "method")
"""What decides a fit beside the preprocessing and the seed."""


class Config(Section):
    """A run of padflow, from CDF files to classes."""

    archive: ArchiveConfig = Field(default_factory=ArchiveConfig)
    preprocess: PreprocessConfig = Field(default_factory=PreprocessConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    pca: PcaConfig = Field(default_factory=PcaConfig)
    mean_shift: MeanShiftConfig = Field(default_factory=MeanShiftConfig)
    kmeans: KMeansConfig = Field(default_factory=KMeansConfig)
    agglomerative: AgglomerativeConfig = Field(default_factory=AgglomerativeConfig)
    method: Literal["kmeans", "agglomerative"] = Field(
        "kmeans", description="Which clustering gives the classes; both take kmeans.classes as their number."
    )
    cluster: ClusterConfig = Field(default_factory=ClusterConfig)
    seed: Seed = Field(0, description="Seed of everything random that has none of its own.")

    @model_validator(mode="after")
    def _target_of_counts(self) -> Config:
        spins, counts = self.train.target == "other_spins", self.preprocess.normalise == "counts"
        if spins and not (counts and self.preprocess.average_seconds):
            raise ValueError(
                "train.target=other_spins needs preprocess.normalise=counts and preprocess.average_seconds above 0, as "
                f"2min, but they are {self.preprocess.normalise} and {self.preprocess.average_seconds:g}"
            )
        if counts and not spins:
            raise ValueError("preprocess.normalise=counts needs train.target=other_spins")
        return self

    def __repr__(self) -> str:
        return as_text("padflow.Config", self._facts())

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return as_html("padflow.Config", self._facts())

    def _facts(self) -> dict[str, str]:
        """Return the keys that differ from the defaults, by section."""
        facts = {}
        for name, value in self.model_dump(mode="json", exclude_defaults=True).items():
            keys = [f"{key}: {one}" for key, one in value.items()] if isinstance(value, dict) else [str(value)]
            if keys:
                facts[name] = ", ".join(keys)
        return facts | {"all else": "as by default"}

    def to_yaml(self) -> str:
        """Return the resolved configuration as YAML, every key present.

        Examples
        --------
        >>> import padflow
        >>> print(padflow.Config(seed=3).to_yaml())
        archive:
        ...
        seed: 3
        """
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    def fit_settings(self) -> dict[str, Any]:
        """Return what decides a fit beside the preprocessing, as a model keeps it."""
        return self.model_dump(mode="json", include=set(FIT_SECTIONS))

    def digest(self, *sections: str) -> str:
        """Return a short SHA-256 of some sections (all but `cluster`, which changes no result, by default)."""
        chosen = sections or tuple(name for name in type(self).model_fields if name != "cluster")
        values = self.model_dump(mode="json", include=set(chosen))
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def seed_of(self, section: Literal["split", "mean_shift", "kmeans"]) -> int:
        """Return the section's own seed, or the general one."""
        own = self.train.split_seed if section == "split" else getattr(self, section).seed
        return self.seed if own is None else own
