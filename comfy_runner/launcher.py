"""Program that becomes ComfyUI, and makes it die with the process that started it.

Run as `python launcher.py PARENT_PID [NAME=VALUE...] PROGRAM ARGUMENT...`, which sets variables as
env(1) does. It is a program of its own because the settings below have to be made in the child,
between fork and exec, where a parent with threads may not run Python (`preexec_fn`).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; survives exec
SECRETS = (
    "API_KEY",
    "COMFYUI_API_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "MODAL_IDENTITY_TOKEN",
    "MODAL_TOKEN_ID",
    "MODAL_TOKEN_SECRET",
    "R2_ACCESS_KEY_ID",
    "R2_SECRET_ACCESS_KEY",
    "WEBHOOK_SECRET",
)


def main(arguments: list[str]) -> None:
    """Replace this process by the program in `arguments`."""
    parent, program = int(arguments[0]), arguments[1:]
    while "=" in program[0]:
        os.putenv(*program.pop(0).split("=", 1))
    # A background shell and a closing container ignore SIGINT; ComfyUI stops by it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    # Custom nodes are other people's code, and a memory snapshot keeps what ComfyUI knows.
    for secret in SECRETS:
        os.unsetenv(secret)
    os.execv(program[0], program)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
