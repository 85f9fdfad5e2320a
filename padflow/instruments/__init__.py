# SPDX-License-Identifier: BSD-3-Clause
"""Instruments: what a product's files hold and how it is named there."""
