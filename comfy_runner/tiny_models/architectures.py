"""The smallest models that ComfyUI still takes for the real thing, tensor by tensor.

Every name below is one that ComfyUI (0.3.75) or spandrel (0.4.2) looks for. A missing tensor is
no error to their loaders, it is left as uninitialised memory, so all are written.
"""

from __future__ import annotations

from itertools import count

from comfy_runner.tiny_models.tensors import (
    Model,
    Tensor,
    convolution,
    linear,
    normalisation,
)

_CLIP_WIDTH = 768
_CLIP_LAYERS = 12
_TAESD_WIDTH = 64
_SD3_LATENT_CHANNELS = 16
_SD3_LATENT_SCALE = 1.5305
_SD3_LATENT_SHIFT = 0.0609


def stable_diffusion_3() -> Model:
    """Describe a whole SD3 checkpoint: one transformer block, CLIP-L and TAESD.

    The transformer and the autoencoder are cut down; CLIP-L's sizes are fixed in ComfyUI's
    configuration, so that one is as large as ever, and nearly all of it is zeros.
    """
    return {
        **_transformer("model.diffusion_model."),
        **_text_encoder("text_encoders.clip_l.transformer."),
        **_autoencoder("first_stage_model."),
    }


def compact_upscaler(*, scale: int, width: int = 8, layers: int = 1) -> Model:
    """Describe Real-ESRGAN's "compact" network; spandrel reads all three numbers off the shapes.

    It adds what its layers say to the picture enlarged by nearest neighbour, and they say little.
    """
    last = 2 + 2 * layers
    model: Model = {}
    for index in range(layers + 1):
        model |= convolution(f"body.{2 * index}", width, width if index else 3)
        model[f"body.{2 * index + 1}.weight"] = Tensor((width,), 0.2)
    return model | convolution(f"body.{last}", 3 * scale * scale, width, gain=0.1)


def _transformer(prefix: str, *, depth: int = 1, patches: int = 128) -> Model:
    """Describe SD3's transformer (MMDiT); ComfyUI takes hidden size / 64 for its depth."""
    width = 64 * depth
    channels = _SD3_LATENT_CHANNELS
    model: Model = {f"{prefix}pos_embed": Tensor((1, patches * patches, width), 0.2)}
    model |= convolution(f"{prefix}x_embedder.proj", width, channels, size=2, gain=0.5)
    for name, inputs in (("t_embedder", 256), ("y_embedder", 2048)):
        model |= linear(f"{prefix}{name}.mlp.0", width, inputs)
        model |= linear(f"{prefix}{name}.mlp.2", width, width)
    model |= linear(f"{prefix}context_embedder", width, 4096)
    for block in range(depth):
        model |= _joint_block(f"{prefix}joint_blocks.{block}.", width, last=block == depth - 1)
    model |= linear(f"{prefix}final_layer.linear", 4 * channels, width)
    return model | linear(f"{prefix}final_layer.adaLN_modulation.1", 2 * width, width)


def _joint_block(prefix: str, width: int, *, last: bool) -> Model:
    """Describe one block of two streams; the last one drops what the text would become next."""
    model: Model = {}
    for stream in ("context_block", "x_block"):
        ends_here = last and stream == "context_block"
        name = prefix + stream
        model |= linear(f"{name}.attn.qkv", 3 * width, width)
        model |= linear(f"{name}.adaLN_modulation.1", (2 if ends_here else 6) * width, width)
        if ends_here:
            continue
        model |= linear(f"{name}.attn.proj", width, width)
        model |= linear(f"{name}.mlp.fc1", 4 * width, width)
        model |= linear(f"{name}.mlp.fc2", width, 4 * width)
    return model


def _text_encoder(prefix: str) -> Model:
    """Describe CLIP-L with blocks that do nothing.

    What is left is the normalised sum of the token's and the position's noise: different for
    every prompt, never NaN, and computed in no time.
    """
    name, width = f"{prefix}text_model.", _CLIP_WIDTH
    model: Model = {
        f"{name}embeddings.token_embedding.weight": Tensor((49408, width), 0.5),
        f"{name}embeddings.position_embedding.weight": Tensor((77, width), 0.1),
    }
    for layer in range(_CLIP_LAYERS):
        model |= _text_layer(f"{name}encoder.layers.{layer}.", width)
    model |= normalisation(f"{name}final_layer_norm", width)
    model[f"{prefix}text_projection.weight"] = Tensor((width, width))
    return model


def _text_layer(prefix: str, width: int) -> Model:
    model = normalisation(f"{prefix}layer_norm1", width)
    model |= normalisation(f"{prefix}layer_norm2", width)
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        model |= linear(f"{prefix}self_attn.{part}", width, width, silent=True)
    model |= linear(f"{prefix}mlp.fc1", 4 * width, width, silent=True)
    return model | linear(f"{prefix}mlp.fc2", width, 4 * width, silent=True)


def _autoencoder(prefix: str) -> Model:
    """Describe TAESD, which ComfyUI accepts in the place of a full autoencoder (2.4M numbers)."""
    return {
        **_taesd_encoder(f"{prefix}taesd_encoder."),
        **_taesd_decoder(f"{prefix}taesd_decoder."),
        f"{prefix}vae_scale": Tensor((), constant=_SD3_LATENT_SCALE),
        f"{prefix}vae_shift": Tensor((), constant=_SD3_LATENT_SHIFT),
    }


def _taesd_encoder(prefix: str) -> Model:
    position = count(2)
    model = convolution(f"{prefix}0", _TAESD_WIDTH, 3) | _taesd_block(f"{prefix}1")
    for _halving in range(3):
        model |= convolution(f"{prefix}{next(position)}", _TAESD_WIDTH, _TAESD_WIDTH, bias=False)
        for _block in range(3):
            model |= _taesd_block(f"{prefix}{next(position)}")
    return model | convolution(f"{prefix}{next(position)}", _SD3_LATENT_CHANNELS, _TAESD_WIDTH)


def _taesd_decoder(prefix: str) -> Model:
    """Describe a decoder of smooth kernels around a middle grey.

    Random kernels would give dark, grainy noise; these give soft clouds of colour. The gains are
    tried out by eye.
    """
    position = count(3)
    model = convolution(f"{prefix}1", _TAESD_WIDTH, _SD3_LATENT_CHANNELS, smooth=True, gain=3.0)
    for _doubling in range(3):
        for _block in range(3):
            model |= _taesd_block(f"{prefix}{next(position)}", smooth=True)
        next(position)  # the upsampling layer has a place and no tensors
        model |= convolution(
            f"{prefix}{next(position)}", _TAESD_WIDTH, _TAESD_WIDTH, bias=False, smooth=True
        )
    model |= _taesd_block(f"{prefix}{next(position)}", smooth=True)
    last = f"{prefix}{next(position)}"
    model |= convolution(last, 3, _TAESD_WIDTH, gain=1.5, smooth=True)
    model[f"{last}.bias"] = Tensor((3,), constant=0.5)
    return model


def _taesd_block(prefix: str, *, smooth: bool = False) -> Model:
    model: Model = {}
    for index in (0, 2, 4):
        model |= convolution(
            f"{prefix}.conv.{index}", _TAESD_WIDTH, _TAESD_WIDTH, gain=0.6, smooth=smooth
        )
    return model
