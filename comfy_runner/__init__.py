"""Runs one workflow on one ComfyUI; knows nothing of web, tasks or Modal."""
