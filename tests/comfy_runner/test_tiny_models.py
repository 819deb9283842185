"""Tiny models: the shapes that loaders go by, and files that torch reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import comfy_runner
from comfy_runner.installation import Installation
from comfy_runner.tiny_models.architectures import compact_upscaler, stable_diffusion_3
from comfy_runner.tiny_models.tensors import Model, convolution, linear

PROJECT = Path(comfy_runner.__file__).parent.parent
TRANSFORMER = "model.diffusion_model."

INSPECT = """
import sys, torch
state = torch.load(sys.argv[1], weights_only=True)["state_dict"]
numbers = sum(tensor.numel() for tensor in state.values())
finite = all(bool(torch.isfinite(tensor).all()) for tensor in state.values())
print(len(state), numbers, finite, float(state["first_stage_model.vae_scale"]))
"""


def shape(model: Model, name: str) -> tuple[int, ...]:
    return model[name].shape


def test_the_transformer_has_the_depth_that_its_width_says() -> None:
    model = stable_diffusion_3()
    width = shape(model, f"{TRANSFORMER}x_embedder.proj.weight")[0]
    blocks = {name.split(".")[3] for name in model if ".joint_blocks." in name}
    assert len(blocks) == width // 64 == 1


def test_the_last_block_drops_the_text() -> None:
    block = f"{TRANSFORMER}joint_blocks.0."
    names = stable_diffusion_3().keys()
    assert f"{block}x_block.mlp.fc1.weight" in names
    assert f"{block}context_block.attn.qkv.weight" in names
    assert f"{block}context_block.mlp.fc1.weight" not in names


def test_the_text_encoder_has_the_sizes_of_clip_l() -> None:
    model = stable_diffusion_3()
    text = "text_encoders.clip_l.transformer.text_model."
    assert shape(model, f"{text}embeddings.token_embedding.weight") == (49408, 768)
    layers = {name.split(".layers.")[1].split(".")[0] for name in model if ".layers." in name}
    assert len(layers) == 12


def test_the_decoder_leaves_the_places_of_its_upsampling_layers_free() -> None:
    start = "first_stage_model.taesd_decoder."
    names = [name for name in stable_diffusion_3() if name.startswith(start)]
    places = {int(name.removeprefix(start).split(".")[0]) for name in names}
    assert set(range(20)) - places == {0, 2, 6, 11, 16}


@pytest.mark.parametrize("scale", [2, 4])
def test_an_upscaler_says_its_scale_by_its_last_layer(scale: int) -> None:
    model = compact_upscaler(scale=scale)
    assert shape(model, "body.4.weight") == (3 * scale * scale, 8, 3, 3)
    assert list(model)[:2] == ["body.0.weight", "body.0.bias"]


def test_a_silent_layer_is_all_zeros() -> None:
    assert linear("x", 4, 4, silent=True)["x.weight"].fill == "zeros"
    assert linear("x", 4, 4)["x.weight"].fill == 0.35


def test_a_smooth_kernel_is_quieter_for_its_numbers_add_up() -> None:
    rough = convolution("x", 4, 4)["x.weight"].fill
    smooth = convolution("x", 4, 4, smooth=True)["x.weight"].fill
    assert isinstance(rough, float)
    assert isinstance(smooth, float)
    assert smooth == pytest.approx(rough / 3)


def test_they_need_none_of_our_dependencies() -> None:
    # -S hides every installed package: the interpreter of ComfyUI has none of ours either.
    code = "import comfy_runner.tiny_models.architectures"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=PROJECT, check=True, timeout=60)


@pytest.mark.live
def test_the_files_are_small_whole_and_the_same_every_time(
    tmp_path: Path, installation: Installation
) -> None:
    def write(name: str) -> list[bytes]:
        program = [str(installation.python), "-m", "comfy_runner.tiny_models"]
        subprocess.run([*program, str(tmp_path / name)], cwd=PROJECT, check=True, timeout=120)
        return [file.read_bytes() for file in sorted((tmp_path / name).rglob("*.*"))]

    first = write("first")
    assert first == write("second")
    assert len(first) == 3
    assert sum(map(len, first)) < 1_000_000
    checkpoint = tmp_path / "first" / "checkpoints" / "tiny_sd3.ckpt"
    seen = subprocess.run(
        [str(installation.python), "-c", INSPECT, str(checkpoint)],
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    assert seen.stdout.split()[:3] == ["364", "127688021", "True"]
