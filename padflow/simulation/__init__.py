"""An archive of REPT-like files whose pitch-angle distributions are known."""
