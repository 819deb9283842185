"""Tests of the app files."""
