# SPDX-License-Identifier: BSD-3-Clause
"""Figures, tables and the self-contained HTML page of a run."""
