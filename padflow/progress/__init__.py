# SPDX-License-Identifier: BSD-3-Clause
"""How far work is: events, and who shows them."""
