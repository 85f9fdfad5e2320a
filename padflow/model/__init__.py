# SPDX-License-Identifier: BSD-3-Clause
"""The fitted model: what turns records into classes, and the fit that makes it."""
