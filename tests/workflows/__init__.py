"""Tests of the bundled workflows."""
