"""Models of a few kilobytes that ComfyUI's own loaders accept.

They let real workflows run on any machine. They are made, not trained: their pictures are
coloured noise, which depends on the seed, the prompt and the steps as a real model's picture
does, and is the same on every run. ComfyUI tells architectures apart by the names and shapes of
their tensors, so a model with a single block is as good to it as a whole one. See
`architectures` for what is kept of each, and `files` for how 140 million parameters fit in half
a megabyte.

Run `python -m comfy_runner.tiny_models DIRECTORY` with an interpreter that has torch: it needs
nothing else, and nothing of this project outside this package.
"""
