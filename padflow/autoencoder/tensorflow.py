# SPDX-License-Identifier: BSD-3-Clause
"""Import TensorFlow and Keras, without their messages and with the threads that training uses."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from padflow.autoencoder.epoch_graph import BATCH_PARTS
from padflow.errors import PadflowError, one_line

INTRA_OP_THREADS = 1
"""Threads within an operation. Matrices this small take longer in more threads.

One thread also gives the same bits on any number of cores.
"""


_import_lock = threading.Lock()


def training_flags() -> dict[str, str | int | bool]:
    """Return the versions and settings that decide the bits of trained weights; a run keeps them in ``run.json``."""
    tf, keras = load_tensorflow()
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "TF_ENABLE_ONEDNN_OPTS": os.environ["TF_ENABLE_ONEDNN_OPTS"],
        "xla": False,
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def load_tensorflow() -> tuple[Any, Any]:
    """Import TensorFlow and Keras without their messages.

    The first import in a process sets the number of threads.

    Raises
    ------
    PadflowError
        Where they cannot be imported, or where Keras was imported before to use another library than TensorFlow.
    """
    with _import_lock:
        first = "tensorflow" not in sys.modules
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # its default, written down for `training_flags`
        if "keras" not in sys.modules:  # it reads the variable once, when it is imported
            os.environ["KERAS_BACKEND"] = "tensorflow"
        try:
            with without_startup_log() if first else contextlib.nullcontext():
                import keras
                import tensorflow as tf
        except ImportError as error:
            raise PadflowError(
                f"Training needs TensorFlow, which cannot be imported ({one_line(str(error))}). Give `pip install "
                "tensorflow` and the same command again. `padflow label` needs no TensorFlow."
            ) from error
        if keras.backend.backend() != "tensorflow":
            raise PadflowError(
                f"Keras was imported before, to use {keras.backend.backend()}, but padflow trains with TensorFlow: "
                "set KERAS_BACKEND=tensorflow before Python starts, or import padflow and fit first."
            )
        if first:
            tf.config.threading.set_intra_op_parallelism_threads(INTRA_OP_THREADS)
            tf.config.threading.set_inter_op_parallelism_threads(BATCH_PARTS)
    return tf, keras


@contextlib.contextmanager
def without_startup_log() -> Iterator[None]:
    """Keep TensorFlow's start-up notes (no CUDA, oneDNN on) off standard error.

    C++ code writes them before it reads any log level, so the file descriptor itself is diverted. All other text that
    is written meanwhile follows afterwards.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as diverted:
        os.dup2(diverted.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            diverted.seek(0)
            notes = re.compile(rb"^(I0000 |WARNING: All log messages before absl::InitializeLog)")
            with contextlib.suppress(OSError):
                os.write(2, b"".join(line for line in diverted if not notes.match(line)))
