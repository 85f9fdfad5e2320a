# SPDX-License-Identifier: BSD-3-Clause
"""An archive of REPT-like files whose pitch-angle distributions are known."""
