"""Node classes with the rarer kinds of inputs, for the recording of editor workflows."""

from __future__ import annotations

from typing import Any, ClassVar

Inputs = dict[str, dict[str, Any]]


class Probe:
    """A node that does nothing; the editor only looks at its inputs and outputs."""

    CATEGORY = "probe"
    FUNCTION = "run"
    RETURN_TYPES: tuple[str, ...] = ("STRING",)
    inputs: ClassVar[Inputs] = {}

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # noqa: N802 - the name that ComfyUI looks for
        """Return the inputs as ComfyUI wants them."""
        return cls.inputs

    def run(self, **_: Any) -> tuple[str, ...]:
        """Return as many texts as there are outputs."""
        return ("",) * len(self.RETURN_TYPES)


class ProbeLists(Probe):
    """Values that are lists, and a colour."""

    inputs: ClassVar[Inputs] = {
        "required": {
            "picks": (["a", "b", "c"], {"multi_select": True}),
            "tint": ("COLOR", {"default": "#ff0000"}),
            "body": ("TEXTAREA", {}),
        }
    }


class ProbeForced(Probe):
    """An input that was a widget once: older workflows have a value for it."""

    inputs: ClassVar[Inputs] = {
        "required": {
            "first": ("INT", {"default": 1}),
            "gone": ("INT", {"forceInput": True}),
            "last": ("STRING", {"default": "z"}),
        }
    }


class ProbeControls(Probe):
    """Controls beside numbers and choices, asked for, not asked for and refused."""

    inputs: ClassVar[Inputs] = {
        "required": {
            "seed": ("INT", {"default": 3, "max": 1000}),
            "choice": (["x", "y", "z"], {"control_after_generate": True}),
            "count": ("INT", {"default": 5, "control_after_generate": True}),
            "noise_seed": ("INT", {"default": 7, "control_after_generate": False}),
            "end": ("FLOAT", {"default": 0.25, "min": -1.0, "max": 1.0, "step": 0.05}),
        }
    }


class ProbeOrder(Probe):
    """Required and optional inputs, sockets between widgets, choices in both notations."""

    inputs: ClassVar[Inputs] = {
        "required": {
            "text": ("STRING", {"multiline": True, "dynamicPrompts": True}),
            "image": ("IMAGE",),
            "flag": ("BOOLEAN", {"default": True}),
        },
        "optional": {
            "mask": ("MASK",),
            "kind": ("COMBO", {"options": ["one", "two"]}),
            "line": ("STRING", {"dynamicPrompts": True}),
        },
        "hidden": {"prompt": "PROMPT"},
    }


class ProbeAny(Probe):
    """Inputs and outputs of any type and of several, for what a bypassed node passes on."""

    RETURN_TYPES = ("*", "IMAGE", "MASK", "IMAGE")
    inputs: ClassVar[Inputs] = {
        "required": {"any": ("*",), "either": ("IMAGE,MASK",), "mask": ("MASK",)},
        "optional": {"number": ("INT", {"default": 4, "step": 4, "min": 2, "max": 64})},
    }


class ProbeFolder(Probe):
    """A picture from another folder than the one for inputs."""

    inputs: ClassVar[Inputs] = {
        "required": {
            "image": (["p.png", "q.png"], {"image_upload": True, "image_folder": "output"}),
        }
    }


NODE_CLASS_MAPPINGS = {
    kind.__name__: kind
    for kind in (ProbeLists, ProbeForced, ProbeControls, ProbeOrder, ProbeAny, ProbeFolder)
}
