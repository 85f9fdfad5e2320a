# SPDX-License-Identifier: BSD-3-Clause
"""Train in a process of its own: when it ends, the memory and the threads of TensorFlow are free again.

    python -m padflow.pipeline.trainer

The process reads a line of JSON with the run directory and the spacecraft; everything else is in that directory. It
writes a line of JSON for each epoch, and ends when its parent ends.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from padflow.autoencoder.epochs import ShowEpoch
from padflow.autoencoder.keras import save_keras
from padflow.autoencoder.tensorflow import load_tensorflow
from padflow.autoencoder.training import deal_split, train_network
from padflow.compute.workers import peak_memory_bytes
from padflow.errors import CannotWrite, ConfigError, NoSpace, PadflowError
from padflow.features.preprocessor import Preprocessor
from padflow.pipeline.directory import Fit, RunDirectory
from padflow.pipeline.receipts import digest
from padflow.startup import gc_paused
from padflow.store.durable import write_bytes, write_json
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import NETWORK
from padflow.store.reading import ArchiveReader

KERAS_MODEL = "autoencoder.keras"


KERAS = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}
"""Settings of Keras, against those of the user's environment; the folder has no ``keras.json``."""


NOT_NEEDED = ("PIL", "matplotlib", "pandas", "sklearn")
"""Libraries that Keras loads where they are installed, 150 MB, and that training does not use."""


ERRORS = {kind.__name__: kind for kind in (PadflowError, ConfigError, CannotWrite, NoSpace)}
"""Kinds of errors that the process reports to its parent; for others it prints a traceback."""


class Trainer:
    """A process that loads TensorFlow when it starts, and trains when it is asked to. ``with`` ends it."""

    def __init__(self) -> None:
        # -P: no module is taken from the folder that the user happens to be in. In a session of its own it does not
        # hear Ctrl-C, which its parent hears.
        command = [sys.executable, "-P", "-m", __name__]
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=theirs | KERAS,
        )

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with suppress(BrokenPipeError), self._process:
            """Closes the pipes and waits."""

    def train(self, directory: RunDirectory, groups: list[str], show_epoch: ShowEpoch) -> int:
        """Run `fit_network` in that process and return its result. It can be called once.

        Raises
        ------
        PadflowError
            The error that the process raised, or that it died.
        """
        with suppress(BrokenPipeError):  # the process has died
            print(json.dumps([str(directory), groups]), file=self._process.stdin, flush=True)
        assert self._process.stdout is not None, "it is a pipe"
        for line in self._process.stdout:
            said = json.loads(line)
            if "error" in said:
                raise ERRORS.get(said["error"], PadflowError)(said["text"])
            if "epoch" in said:
                show_epoch(*said["epoch"])
            if "peak_memory_bytes" in said:  # the last line: no need to wait for the end of the process
                return said["peak_memory_bytes"]
        status = self._process.wait()
        killed = " (killed, perhaps for want of memory)" if status == -signal.SIGKILL else ""
        raise PadflowError(
            f"The process that trains the autoencoder ended with status {status}{killed}. Run the same command again; "
            "if it ends so again, lower train.max_rows and train.max_validation_rows, or ask for more memory."
        )


def fit_network(directory: RunDirectory, groups: list[str], show_epoch: ShowEpoch) -> int:
    """Train the autoencoder on rows of the run's archive, and write it into the run directory.

    Returns
    -------
    int
        The largest memory that this process had, in bytes.
    """
    config = directory.config()
    readers = {group: ArchiveReader(directory.archive, group) for group in groups}
    axes = next(iter(readers.values())).axes
    split = deal_split(config, readers)
    preprocessor = Preprocessor(config.preprocess, axes)
    trained, info = train_network(readers, preprocessor, split=split, config=config, show_epoch=show_epoch)
    _save_keras(trained, directory.model)
    content = pack_arrays(axes.to_arrays() | trained.network.to_arrays())
    write_bytes(directory.fit_folder / NETWORK, content)
    write_json(directory.split_file, asdict(split))
    directory.write_fit("train", Fit(digest(content.hex()), info))
    return peak_memory_bytes()


def _save_keras(trained: Any, folder: Path) -> None:
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / KERAS_MODEL
        save_keras(trained, path)
        write_bytes(folder / KERAS_MODEL, path.read_bytes())


def main() -> None:
    """Train for the parent that started this process."""
    orders: SimpleQueue = SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    absent: dict[str, Any] = dict.fromkeys(NOT_NEEDED)
    sys.modules.update(absent)  # as if they were not installed
    try:
        with gc_paused():
            load_tensorflow()  # takes seconds, in which the parent scans and ingests
        directory, groups = orders.get()
        _say(peak_memory_bytes=fit_network(RunDirectory(Path(directory)), groups, lambda *epoch: _say(epoch=epoch)))
    except PadflowError as error:
        _say(error=type(error).__name__, text=str(error))
    gc.freeze()  # no search for garbage in TensorFlow at the end, for which the parent would wait


def _say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def _listen(orders: SimpleQueue) -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    os._exit(1)  # the parent has ended


if __name__ == "__main__":
    main()
