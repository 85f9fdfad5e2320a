"""Where and when classes and shapes occur: shares of all records, and how sure they are, from orbits."""
