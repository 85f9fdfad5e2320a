"""A run: its directory, stages and passes over parts."""
