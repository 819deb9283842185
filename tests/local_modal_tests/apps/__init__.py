"""Apps for the stand-in to run."""
