"""Write all tiny models into a directory laid out as ComfyUI's `models/`."""

from __future__ import annotations

import argparse
from pathlib import Path

from comfy_runner.tiny_models.architectures import compact_upscaler, stable_diffusion_3
from comfy_runner.tiny_models.files import write_checkpoint, write_safetensors


def write_all(directory: Path) -> list[Path]:
    """Write every model and return the files; those already there are written anew."""
    checkpoint = _file(directory, "checkpoints", "tiny_sd3.ckpt")
    write_checkpoint(stable_diffusion_3(), checkpoint)
    written = [checkpoint]
    for scale in (2, 4):
        upscaler = _file(directory, "upscale_models", f"tiny_{scale}x.safetensors")
        write_safetensors(compact_upscaler(scale=scale), upscaler)
        written.append(upscaler)
    return written


def _file(directory: Path, folder: str, name: str) -> Path:
    path = directory / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    for path in write_all(parser.parse_args().directory):
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")  # noqa: T201 - its output
