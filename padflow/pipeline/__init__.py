# SPDX-License-Identifier: BSD-3-Clause
"""A run: its directory, stages and passes over parts."""
