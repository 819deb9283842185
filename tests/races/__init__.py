"""Several real processes on one SQLite file: what they do at the same time, and dying in it."""
