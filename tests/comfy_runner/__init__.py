"""Tests of the runner, most of them with a real ComfyUI."""
