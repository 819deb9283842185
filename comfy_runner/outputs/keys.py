"""Where an output is kept: keys that read well and never clash."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_JOB_ID = re.compile(r"[A-Za-z0-9_+-]{1,128}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def key_for(job_id: str, node_id: str, index: int, filename: str) -> str:
    """Return the bucket key of a node's output number `index`: plain ASCII, one per output.

    Raises:
        ValueError: The job id is no plain name.
    """
    if not _JOB_ID.fullmatch(job_id):
        raise ValueError(f"job id {job_id!r}: use 1 to 128 of A-Z a-z 0-9 _ + -")
    return f"outputs/{job_id}/{_safe_node(node_id)}/{index:04d}-{_safe_name(filename)}"


def _safe_node(node_id: str) -> str:
    """Return the id for use in a key; a digest keeps apart what the cleaning makes alike."""
    clean = _UNSAFE.sub("_", node_id).strip(".")[:64]
    if clean == node_id and clean:
        return clean
    digest = hashlib.sha256(node_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{clean or 'node'}-{digest[:12]}"


def _safe_name(filename: str) -> str:
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    stem, dot, suffix = _UNSAFE.sub("_", plain).rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    stem = stem.strip(".")[:80] or "file"
    return f"{stem}.{suffix[:16]}" if suffix else stem
