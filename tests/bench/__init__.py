"""Measurements, side by side with the alternative, as ratios: ``make bench``."""
