"""Sources: raw samples in chunks, from memory or from files."""
