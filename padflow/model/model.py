# SPDX-License-Identifier: BSD-3-Clause
"""The fitted model: all that is needed to turn a record into a class, saved without pickle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from padflow import __version__
from padflow.autoencoder.denoiser import AnyNetwork, network_from_arrays
from padflow.clustering.classes import Classes, classes_from_arrays
from padflow.components.inputs import input_size
from padflow.components.projection import Projection
from padflow.config.local_paths import local_path
from padflow.config.sections import PreprocessConfig
from padflow.errors import ConfigError, PadflowError
from padflow.facts import as_html, as_text, some_of
from padflow.features.checks import check_dataset
from padflow.features.preprocessor import Preprocessor
from padflow.instruments.origin import SIMULATED
from padflow.model.description import AGAIN, FORMAT, read_description
from padflow.model.encoder import Encoder
from padflow.model.shipped import model_folder
from padflow.records import Axes, Rows
from padflow.store.durable import sha256_of, write_bytes, write_json
from padflow.store.npz import pack_arrays, read_bounded
from padflow.store.npz_specs import OF_MODEL, checked_arrays
from padflow.store.run_files import MODEL_FACTS
from padflow.store.specs import TIME, results_specs

if TYPE_CHECKING:
    import xarray as xr


ARRAYS, DESCRIPTION = "arrays.npz", MODEL_FACTS


@dataclass(frozen=True, repr=False)
class Model:
    """A fitted classification.

    Parameters
    ----------
    preprocess : PreprocessConfig
    axes : Axes
        Axes of the archive that the model was fitted to.
    network : Network or DenoisingNetwork
    projection : Projection
        From codes to scores.
    classes : Classes
    info : dict
        Facts for readers: training, variances, mean shift, metrics, shapes of the classes, versions.
    names : tuple of str
        Names of the classes, by number, such as ``"butterfly_3"``, from their shapes in the archive that they were
        fitted to. A model keeps the names when it labels another archive. By default ``"class_3"`` and so on.

    Examples
    --------
    >>> import padflow
    >>> model = padflow.Model.load("run/model")
    >>> model.names
    ('class_0', 'class_1', 'class_2')
    >>> labels = model.label(padflow.open_archive("run", "rbspa"))
    >>> labels["margin"].dims
    ('time',)
    """

    preprocess: PreprocessConfig
    axes: Axes
    network: AnyNetwork
    projection: Projection
    classes: Classes
    info: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", tuple(f"class_{c}" for c in range(len(self.classes.centres))))
        if len(self.names) != len(self.classes.centres):
            raise PadflowError(f"The model has {len(self.classes.centres)} classes, but names {len(self.names)}.")

    def __repr__(self) -> str:
        return as_text("padflow.Model", self._facts())

    def _repr_html_(self) -> str:
        return as_html("padflow.Model", self._facts())

    def _facts(self) -> dict[str, str]:
        """Return what is shown of a model."""
        angle, energy, network = self.axes.pitch_angle, self.axes.energy, self.network
        facts = {
            "classes": f"{len(self.names)}: {some_of(self.names)}",
            "records": f"{len(angle)} pitch angles from {angle[0]:.3g} to {angle[-1]:.3g} degrees, "
            f"{len(energy)} energies from {energy[0]:.3g} to {energy[-1]:.3g} MeV",
            "steps": f"{network.features} features, {input_size(network)} values for components, "
            f"{self.projection.components} scores",
        }
        if because := self.info.get("separated_because"):
            facts["separated"] = f"{'yes' if self.info.get('separated') else 'no'}: {because}"
        if words := self.fitted_to_simulated:
            facts["fitted to"] = words
        if version := self.info.get("padflow"):
            facts["padflow"] = str(version)
        return facts

    @property
    def fitted_to_simulated(self) -> str:
        """That the model was fitted to simulated data, in words; empty where it was not."""
        words = self.info.get("simulated")
        return f"{SIMULATED} data: {words}" if words else ""

    def encoder(self, axes: Axes | None = None) -> Encoder:
        """Return the way from records to scores.

        Parameters
        ----------
        axes : Axes, optional
            Axes of the archive to be scored. They must match those of the model.

        Raises
        ------
        PadflowError
            Where the axes differ, for features would have another meaning.
        """
        axes = axes or self.axes
        for name in self.axes.differing(axes):
            raise PadflowError(
                f"The model was fitted to the {name} axis {_listed(getattr(self.axes, name))}, but the archive has "
                f"{_listed(getattr(axes, name))}. Fit a model to this archive with `padflow run`."
            )
        preprocessor = Preprocessor(self.preprocess, axes)
        return Encoder(preprocessor, self.network, self.projection)

    def label(self, dataset: xr.Dataset) -> xr.Dataset:
        """Label all records of an archive: Dataset in, Dataset out, lazy where `flux` is a Dask array.

        Parameters
        ----------
        dataset : xarray.Dataset
            As `padflow.open_archive` returns it.

        Returns
        -------
        xarray.Dataset
            Along time: ``pad_class``, ``probability``, ``reason``, ``score``, ``distance``, ``margin``,
            ``reconstruction_error``, and with a denoiser shapes along (time, energy), with the attributes that
            `padflow.open_results` gives. Those of ``pad_class`` name the classes, and the Dataset keeps those of the
            archive, such as ``spacecraft``.

        Raises
        ------
        PadflowError
            Where the Dataset has another layout, where its times do not ascend, or where its axes are not those of the
            model.
        """
        from padflow.features.dataset import map_rows

        check_dataset(dataset)
        encoder = self.encoder(Axes.of_dataset(dataset))

        def kernel(rows: Rows) -> dict[str, np.ndarray]:
            scored = encoder.score(rows)
            return scored | self.classes.classify(scored)

        made = results_specs(self.projection.components, len(encoder.shape_energy))
        specs = [spec for spec in made if spec is not TIME]
        labels = map_rows(
            dataset,
            kernel,
            outputs={spec.name: (spec.dims, spec.sizes, spec.dtype) for spec in specs},
            needs=encoder.preprocessor.needs,
        )
        for spec in specs:
            if spec.dtype == "f2":  # as `padflow.open_results`
                labels[spec.name] = labels[spec.name].astype(np.float32)
            labels[spec.name].attrs = dict(spec.attributes)
        labels["pad_class"].attrs |= class_attributes(self.names, self.fitted_to_simulated)
        if len(encoder.shape_energy):
            labels = labels.assign_coords(energy=("energy", encoder.shape_energy, {"units": "MeV"}))
        return labels

    def digest(self) -> str:
        """Return a digest of all that decides labels."""
        return sha256_of(self._arrays() + self.preprocess.model_dump_json().encode())[:32]

    def encoder_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of axes, network and projection, which turn records into scores."""
        return self.axes.to_arrays() | self.network.to_arrays() | self.projection.to_arrays()

    def _arrays(self) -> bytes:
        return pack_arrays(self.encoder_arrays() | self.classes.to_arrays())

    def save(self, directory: str | Path) -> None:
        """Write ``arrays.npz``, and then ``model.json`` with its checksum."""
        directory = local_path(directory, "directory")
        content = self._arrays()
        write_bytes(directory / ARRAYS, content)
        description = {
            "format": FORMAT,
            "arrays_sha256": sha256_of(content),
            "preprocess": self.preprocess.model_dump(mode="json"),
            "names": self.names,
        }
        write_json(directory / DESCRIPTION, description | self.info)

    @staticmethod
    def load(directory: str | Path) -> Model:
        """Read a model.

        Parameters
        ----------
        directory : path
            The folder ``model`` of a run. Or ``"demo"``: the model of the recommended mode for REPT that comes with
            padflow. It was fitted to a SIMULATED month; try things out with it, and publish nothing that it says.

        Raises
        ------
        PadflowError
            Where a file is missing, altered, or of another format. No code in a file is ever run.

        Examples
        --------
        >>> import padflow
        >>> padflow.Model.load("demo").fitted_to_simulated
        'SIMULATED data: no measurement'
        """
        directory = model_folder(local_path(directory, "directory"))
        description = read_description(directory / DESCRIPTION)
        names = tuple(description.pop("names"))
        preprocess = PreprocessConfig.model_validate(description.pop("preprocess"))
        arrays = _read_arrays(directory, sha256=description.pop("arrays_sha256"))
        description.pop("format")
        model = Model(
            preprocess,
            Axes.from_arrays(arrays),
            network_from_arrays(arrays),
            Projection.from_arrays(arrays),
            classes_from_arrays(arrays),
            description,
            names,
        )
        model._check_features(directory)
        return model

    def _check_features(self, directory: Path) -> None:
        """Refuse a model with another number of features in its preprocessing than in its network."""
        try:
            made = self.encoder().preprocessor.features
        except ConfigError as error:
            raise PadflowError(f"{directory} cannot be used: {error} {AGAIN}") from None
        if made != self.network.features:
            raise PadflowError(
                f"{directory} is not whole: its preprocess section makes {made} features of a record, but w_encode of "
                f"{ARRAYS} takes {self.network.features}. {AGAIN}"
            )


def fitted_model(
    encoder: Encoder,
    classes: Classes,
    *,
    axes: Axes,
    names: Iterable[str],
    training: dict[str, Any],
    components: dict[str, Any],
    found: dict[str, Any],
    simulated: str,
    settings: dict[str, Any],
    more: Mapping[str, Any],
) -> Model:
    """Put a model together from what the steps of a fit have found.

    Parameters
    ----------
    encoder : Encoder
    classes : Classes
    axes : Axes
        Axes of the archive that the model is fitted to.
    names : iterable of str
        Names of the classes.
    training, components, found : dict
        What the description says about the training, the components and the classes.
    simulated : str
        In words, that the archive is simulated (`padflow.instruments.origin.simulated_words`); empty where no file
        says so.
    settings : dict
        The sections of the configuration that decide a fit.
    more : dict
        Further keys of the description.
    """
    info = {
        "padflow": __version__,
        "simulated": simulated,
        "training": training,
        "pca": components,
        **found,
        **more,
        "settings": settings,
    }
    preprocess = encoder.preprocessor.config
    return Model(preprocess, axes, encoder.network, encoder.projection, classes, info, tuple(names))


def _read_arrays(directory: Path, *, sha256: str) -> dict[str, np.ndarray]:
    """Read the arrays of a model and check them."""
    path = directory / ARRAYS
    try:
        content = read_bounded(path)
        if sha256_of(content) != sha256:
            raise PadflowError(f"{path} was altered: its checksum is not that of {DESCRIPTION}. {AGAIN}")
        return checked_arrays(content, OF_MODEL)
    except FileNotFoundError:
        raise PadflowError(f"{directory} is not a whole model: {ARRAYS} is missing. {AGAIN}") from None
    except ValueError as error:
        raise PadflowError(f"{path} cannot be read: {error} {AGAIN}") from None


def class_attributes(names: tuple[str, ...], fitted_to: str) -> dict[str, Any]:
    """Return the attributes that name the classes of a variable of class numbers (CF flags).

    Parameters
    ----------
    names : tuple of str
    fitted_to : str
        See `Model.fitted_to_simulated`.
    """
    flags = {"flag_values": list(range(len(names))), "flag_meanings": " ".join(names)}
    return flags | ({"fitted_to": fitted_to} if fitted_to else {})


def _listed(values: np.ndarray) -> str:
    return json.dumps([float(f"{v:.4g}") for v in values.ravel()])
