"""Search from the command line, for as many paths as there is patience for."""

from __future__ import annotations

import sys

from tests.protocol.model.explore import dfs, walks
from tests.protocol.model.mutations import FOCUS, mutate
from tests.protocol.model.scenarios import SCENARIOS, make


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    if argv[:1] == ["mutate"]:
        for rule in argv[1:] or FOCUS:
            found = mutate(rule, 3000)
            lines = [f"{check} ({len(each.log)} steps)" for check, each in found.items()]
            say(f"{rule:<22} {'; '.join(lines) or '-- nothing --'}")
        return 0
    if argv[:1] == ["trace"]:
        for each in mutate(argv[1], 3000).values():
            say("\n  ".join([f"\n{each.text}", *each.log]))
        return 0
    names = argv[1:] or list(SCENARIOS)
    return max(
        search(name, flavour, int(argv[0]) if argv else 1000)
        for name in names
        for flavour in ("sqlite", "dict")
    )


def search(name: str, flavour: str, paths: int) -> int:
    """Search one scenario; return 1 if it breaks where it must not."""
    found = dfs(make(name, flavour), paths)
    how = f"{'all ' if found.complete else ''}{found.states} states"
    if not found.complete and not found.text:
        found = walks(make(name, flavour), paths)
        how += f", {found.paths} walks"
    say(f"{flavour:<7}{name:<26} {how}: {found.text or 'clean'}")
    if found.text:
        say("\n    ".join(["", *found.log]))
    return int(bool(found.text) and not (flavour == "dict" and found.check == "limit"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
