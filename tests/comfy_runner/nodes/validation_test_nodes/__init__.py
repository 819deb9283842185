"""ComfyUI nodes with every kind of input that its validation treats in a way of its own."""

# ruff: noqa: N802 (ComfyUI's names)

from __future__ import annotations

from typing import Any, ClassVar


class _AnyType(str):
    """Equal to every type, as many packs write it."""

    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__
    __eq__ = str.__eq__


class _Endless(tuple[str, ...]):
    """Types for as many slots as anybody asks for."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        return _AnyType(super().__getitem__(0))


ANY = _AnyType("*")


class _Checked:
    CATEGORY = "testing"
    FUNCTION = "go"
    OUTPUT_NODE = True
    RETURN_TYPES: ClassVar[tuple[Any, ...]] = ()

    def go(self, **_inputs: Any) -> Any:
        return {}


class KindsOfValue(_Checked):
    """One input of each kind of value, none of them required."""

    RETURN_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", ["a", "b"], "COMBO")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {},
            "optional": {
                "whole": ("INT", {"min": -4, "max": 9}),
                "bare": ("INT",),
                "real": ("FLOAT", {"min": 0.5, "max": 2}),
                "text": ("STRING", {"multiline": True}),
                "flag": ("BOOLEAN", {"default": False}),
                "forced": ("INT", {"forceInput": True, "min": 1}),
                "lazy": ("INT", {"lazy": True, "max": 3}),
                "floats": ("FLOATS", {"min": -1}),
                "listed": (["a", "b"],),
                "numbers": ([1, 2, 2.5, True],),
                "many": ([f"choice {n}" for n in range(30)], {"default": "choice 1"}),
                "unchecked": (("a", "b"),),
                "combo": ("COMBO", {"options": ["a", "b"]}),
                "nothing": ([],),
            },
            "hidden": {"prompt": "PROMPT", "me": "UNIQUE_ID"},
        }


class KindsOfLink(_Checked):
    """One input of each kind of link."""

    RETURN_TYPES = ("IMAGE", "*", ANY, "INT,FLOAT", " STRING , MASK")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {},
            "optional": {
                "image": ("IMAGE",),
                "star": ("*",),
                "anything": (ANY,),
                "number": ("INT,FLOAT",),
                "either": ("MASK,LATENT",),
                "choice": (["a", "b"],),
                "combo": ("COMBO", {"options": ["a", "b"]}),
                "unchecked": (("a", "b"),),
            },
        }


class EndlessOutputs(_Checked):
    """Has an output at every slot."""

    OUTPUT_NODE = False
    RETURN_TYPES = _Endless(("*",))

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"number": ("INT", {"min": 0, "max": 5})}}


class ChecksAll(_Checked):
    """Takes every input into its own hands."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "whole": ("INT", {"min": 0, "max": 5}),
                "listed": (["a", "b"],),
                "image": ("IMAGE",),
            }
        }

    @classmethod
    def VALIDATE_INPUTS(cls, **_inputs: Any) -> bool:
        return True


class ChecksTypes(_Checked):
    """Takes the types of its links, and one value, into its own hands."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"image": ("IMAGE",), "whole": ("INT", {"max": 5})},
            "optional": {"other": ("FLOAT", {"max": 5})},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, input_types: Any, whole: Any = None) -> bool:
        return True


NODE_CLASS_MAPPINGS = {
    node.__name__: node
    for node in (KindsOfValue, KindsOfLink, EndlessOutputs, ChecksAll, ChecksTypes)
}
