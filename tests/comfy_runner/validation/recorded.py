"""The catalogue of a ComfyUI 0.3.75 with our test nodes, recorded: some dozens of its classes.

Record it anew with `python -m tests.comfy_runner.validation.recorded URL`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from comfy_runner.catalog import Catalog, capture
from comfy_runner.client import ComfyClient

FILE = Path(__file__).with_name("catalog-0.3.75.json.gz")

CLASSES = (
    *(
        "CheckpointLoaderSimple",
        "CheckpointLoader",
        "CLIPTextEncode",
        "CLIPLoader",
        "CLIPSetLastLayer",
    ),
    *(
        "ConditioningCombine",
        "ControlNetApply",
        "ControlNetLoader",
        "EmptyImage",
        "EmptyLatentImage",
    ),
    *(
        "ImageBatch",
        "ImageInvert",
        "ImageScale",
        "ImageScaleBy",
        "ImageToMask",
        "ImageUpscaleWithModel",
    ),
    *(
        "KSampler",
        "KSamplerAdvanced",
        "KSamplerSelect",
        "LatentUpscale",
        "LoadImage",
        "LoadImageMask",
    ),
    *("LoadLatent", "LoadVideo", "LoraLoader", "LoraLoaderModelOnly", "MaskToImage", "PreviewAny"),
    *(
        "PreviewImage",
        "RepeatImageBatch",
        "SaveAnimatedWEBP",
        "SaveImage",
        "SaveLatent",
        "SaveVideo",
    ),
    *("CreateVideo", "SolidMask", "UNETLoader", "UpscaleModelLoader", "VAEDecode", "VAEEncode"),
    *("VAEEncodeForInpaint", "VAELoader", "WebcamCapture", "CreateHookKeyframesFromFloats"),
    *("KindsOfValue", "KindsOfLink", "EndlessOutputs", "ChecksAll", "ChecksTypes", "SleepNode"),
)


def recorded() -> Catalog:
    """Return the recorded catalogue."""
    return Catalog.from_bytes(FILE.read_bytes())


def some_of(catalog: Catalog) -> Catalog:
    """Return the catalogue with no more than `CLASSES`."""
    told = catalog.typing["classes"]
    return replace(
        catalog,
        nodes={name: catalog.nodes[name] for name in CLASSES},
        validators={n: own for n, own in catalog.validators.items() if n in CLASSES},
        typing={**catalog.typing, "classes": {n: told[n] for n in CLASSES if n in told}},
    )


if __name__ == "__main__":
    with ComfyClient(sys.argv[1]) as client:
        FILE.write_bytes(some_of(capture(client)).to_bytes())
