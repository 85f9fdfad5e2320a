# SPDX-License-Identifier: BSD-3-Clause
"""The flags of TensorFlow that change bits are known."""

from __future__ import annotations

from padflow.autoencoder.tensorflow import load_tensorflow, training_flags


def test_flags_name_what_changes_bits():
    tf, _ = load_tensorflow()
    flags = training_flags()
    assert flags["tensorflow"] == tf.__version__
    assert flags["TF_ENABLE_ONEDNN_OPTS"] in ("0", "1")
    assert (flags["intra_op_threads"], flags["inter_op_threads"]) == (1, 2)
