"""Validation without a GPU, held against the real ComfyUI."""
