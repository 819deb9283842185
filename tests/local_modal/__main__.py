"""The stand-in by hand: `python -m tests.local_modal modal_app.py --secret NAME:KEY=VALUE`."""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.local_modal import LocalModal


def main() -> int:
    """Deploy an app; print what the server would know of it, or serve it until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.local_modal", description=main.__doc__)
    parser.add_argument("ref", help="the app's file, or with -m its module")
    parser.add_argument("-m", "--module", action="store_true")
    parser.add_argument("--cwd")
    parser.add_argument("--secret", action="append", default=[], metavar="NAME:KEY=VALUE,...")
    parser.add_argument("--volume", action="append", default=[], help="one that exists already")
    parser.add_argument("--serve", action="store_true", help="run containers, until Ctrl-C")
    chosen = parser.parse_args()
    secrets = {}
    for text in chosen.secret:
        name, _, pairs = text.partition(":")
        secrets[name] = dict(each.split("=", 1) for each in pairs.split(",") if each)
    with LocalModal(
        secrets=secrets, existing_volumes=chosen.volume, run_containers=chosen.serve
    ) as local:
        done = local.deploy(chosen.ref, cwd=chosen.cwd, module=chosen.module, check=False)
        if done.returncode:
            sys.stderr.write(done.stdout + done.stderr)
            return done.returncode
        if chosen.serve:
            serve(local)
        else:
            sys.stdout.write(json.dumps(local.summary(), indent=2) + "\n")
    return 0


def serve(local: LocalModal) -> None:
    """Tell how to reach the stand-in, and wait for Ctrl-C."""
    for key, value in local.env().items():
        sys.stdout.write(f"export {key}={value}\n")
    for name, url in local.plane.gateway.urls.items():
        sys.stdout.write(f"# web function {name}: {url}\n")
    sys.stdout.write("# Ctrl-C ends it\n")
    sys.stdout.flush()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main())
