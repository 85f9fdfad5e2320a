"""The training stage, in a process of its own that takes TensorFlow's memory and threads with it when it ends.

    python -m padflow.pipeline.trainer

It is told the run directory and the spacecraft by a line of JSON; all else that it needs is in that directory. It tells
its parent of each epoch by a line of JSON, and ends when that does.
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

from padflow.autoencoder.keras import save_keras
from padflow.autoencoder.tensorflow import load_tensorflow
from padflow.autoencoder.training import ShowEpoch, deal_split, train_network
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
"""Keras as padflow needs it, whatever the user's environment and ``~/.keras/keras.json`` say: no file is there."""


NOT_NEEDED = ("PIL", "matplotlib", "pandas", "sklearn")
"""Keras loads them where they are installed: 150 MB, for what is not done here."""


ERRORS = {kind.__name__: kind for kind in (PadflowError, ConfigError, CannotWrite, NoSpace)}
"""Kinds of errors that the process tells its parent of; of others it leaves a traceback."""


class Trainer:
    """A process that loads TensorFlow as soon as it is started, and trains when it is told to; ended by ``with``."""

    def __init__(self) -> None:
        # -P: a folder that the user happens to be in gives no modules. Its own session: Ctrl-C is its parent's affair.
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
        """Do `fit_network` in that process, and return what it does; once.

        Raises
        ------
        PadflowError
            What the process raised, or that it died.
        """
        with suppress(BrokenPipeError):  # of one that has died
            print(json.dumps([str(directory), groups]), file=self._process.stdin, flush=True)
        assert self._process.stdout is not None, "it is a pipe"
        for line in self._process.stdout:
            said = json.loads(line)
            if "error" in said:
                raise ERRORS.get(said["error"], PadflowError)(said["text"])
            if "epoch" in said:
                show_epoch(*said["epoch"])
            if "peak_memory_bytes" in said:  # said when all is done: its end need not be waited for
                return said["peak_memory_bytes"]
        status = self._process.wait()
        killed = " (killed, perhaps for want of memory)" if status == -signal.SIGKILL else ""
        raise PadflowError(
            f"The process that trains the autoencoder ended with status {status}{killed}. Run the same command again; "
            "if it ends so again, lower train.max_rows and train.max_validation_rows, or ask for more memory."
        )


def fit_network(directory: RunDirectory, groups: list[str], show_epoch: ShowEpoch) -> int:
    """Train the autoencoder on rows drawn from the run's archive, and leave it in the run directory.

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
            load_tensorflow()  # which takes seconds, while the parent scans and ingests
        directory, groups = orders.get()
        _say(peak_memory_bytes=fit_network(RunDirectory(Path(directory)), groups, lambda *epoch: _say(epoch=epoch)))
    except PadflowError as error:
        _say(error=type(error).__name__, text=str(error))
    gc.freeze()  # the parent waits for the end, before which Python would look through all of TensorFlow for garbage


def _say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def _listen(orders: SimpleQueue) -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    os._exit(1)  # the parent has ended, however that came


if __name__ == "__main__":
    main()
