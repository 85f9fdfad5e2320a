# SPDX-License-Identifier: BSD-3-Clause
"""What the stages of a run do; `padflow.pipeline.stage_order` declares them."""
