"""Model files, as app files name them: fetched whole, checked, and known again without hashing.

A models directory has ComfyUI's layout, `<folder>/<file>`. What `pull` knows of its files lies
beside them in `.pull`: a note of each file that was checked, files that are still arriving, and
the lock. A file is under its name only when it is whole and right.
"""

from comfy_runner.models.checking import Checked, Stray, look, unused, verify
from comfy_runner.models.fetching import Patience
from comfy_runner.models.manifest import Model, ModelsError, PullFailed
from comfy_runner.models.plan import Access, Plan, plan
from comfy_runner.models.pulling import Pulled, pull

__all__ = [
    "Access",
    "Checked",
    "Model",
    "ModelsError",
    "Patience",
    "Plan",
    "PullFailed",
    "Pulled",
    "Stray",
    "look",
    "plan",
    "pull",
    "unused",
    "verify",
]
