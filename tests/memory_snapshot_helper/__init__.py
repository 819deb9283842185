"""Tests of the memory snapshot helper, without a ComfyUI."""
