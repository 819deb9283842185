"""What one stand-in may do otherwise than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modal_proto import api_pb2 as pb


@dataclass(kw_only=True)
class Options:
    """The choices of a test; times are in seconds. Some may be changed while it runs."""

    # What there is before the deployment.
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    existing_volumes: Sequence[str] = ()
    proxy_tokens: Mapping[str, str] = field(default_factory=dict)
    occupied: Sequence[str] = ()  # directories that the image would have files in
    default_volume_version: pb.VolumeFsVersion.ValueType = pb.VOLUME_FS_VERSION_V1
    image_builder_version: str = "2025.06"

    # Which containers run, and with what.
    run_containers: bool = True
    start_min_containers: bool = False
    container_cap: int = 8
    idle_timeout: float | None = None  # instead of each function's scaledown_window
    container_env: Mapping[str, str] = field(default_factory=dict)  # Secrets come before it
    container_overrides: Mapping[str, str] = field(default_factory=dict)  # come before Secrets
    container_pythonpath: Sequence[str] = ()
    container_python_args: Sequence[str] = ()
    container_loglevel: str = "WARNING"
    mount_volumes: bool = False  # link each mount path of this machine to the Volume's directory
    keep_orphans: bool = False

    # Snapshots.
    snapshot_pause: float = 0.2
    snapshot_freeze: float = 0.0
    strict_snapshot: bool = False
    restore_state: Mapping[str, Any] = field(default_factory=dict)

    # Times and limits.
    heartbeat_interval: float = 5.0
    rpc_delay: float = 0.0
    retry_delay_scale: float = 1.0
    web_timeout: float = 150.0
    pending_input_limit: int | None = None
    fire_crons_every: float | None = None
    # What Modal's server does with the idempotency key of a repeated call is not known: False
    # applies the call again, which is the worst case.
    dedupe_retries: bool = True

    workdir: Path | None = None  # else a temporary one
    keep_workdir: bool = False
