"""Where ComfyUI looks beside its own folders, told in the file that it reads for that."""

from __future__ import annotations

from pathlib import Path

_MODEL_FOLDERS = (
    *("audio_encoders", "checkpoints", "clip", "clip_vision", "configs", "controlnet"),
    *("diffusers", "diffusion_models", "embeddings", "gligen", "hypernetworks"),
    *("latent_upscale_models", "loras", "model_patches", "photomaker", "style_models"),
    *("text_encoders", "unet", "upscale_models", "vae", "vae_approx"),
)
_COMPANION = Path(__file__).resolve().parent / "companion"


def extra_paths(*, pulled: Path | None, installed: Path | None) -> dict[str, dict[str, str]]:
    """Return the content of an `--extra-model-paths-config`: our companion, and models.

    A name that both directories have means the pulled file. A folder that is made later is known
    from the next start on, unless it is one of the usual.

    Args:
        pulled: the models that an app names.
        installed: those that came with the installation.
    """
    paths = {"companion": {"custom_nodes": str(_COMPANION)}}
    places = {"pulled": pulled, "installed": installed}
    return paths | {name: _folders(place) for name, place in places.items() if place is not None}


def _folders(models: Path) -> dict[str, str]:
    """Return the folders of `models`, the usual and its own, as ComfyUI wants them told."""
    own = {
        entry.name
        for entry in models.glob("*")
        if entry.is_dir() and not entry.name.startswith(".")
    }
    folders = {name: name for name in sorted(own.union(_MODEL_FOLDERS))}
    return {"base_path": str(models.absolute()), **folders}
