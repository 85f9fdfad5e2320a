"""An archive of REPT-like files with known populations."""
