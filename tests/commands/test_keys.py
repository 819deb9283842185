"""Making, listing and revoking keys from the command line, on a real data directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from settings import Settings
from tasks import embedded, keys
from tasks.framework import configure
from tests.commands.support import run


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    embedded.configure(Settings(data_dir=tmp_path))
    yield tmp_path
    configure(None)


def manage(data: Path, *arguments: str) -> Result:
    result = run("keys", *arguments, "--data", str(data))
    embedded.configure(Settings(data_dir=data))
    return result


def test_a_secret_is_shown_once_and_kept_nowhere(data: Path) -> None:
    made = manage(data, "create", "--user", "alice", "--days", "2")
    secret = made.stdout.strip()
    key_id = keys.id_of(secret)
    assert key_id
    assert secret.encode() not in b"".join(each.read_bytes() for each in data.glob("tasks.db*"))
    key = keys.find(key_id)
    assert key
    assert (key.owner, key.digest) == ("alice", keys.digest_of(secret))
    assert key.expires == key.created + 2 * keys.DAY
    listed = manage(data, "list", "--json").stdout
    assert secret[12:] not in listed
    assert key.digest not in listed
    assert [each["id"] for each in json.loads(listed)["keys"]] == [key_id]


def test_a_revoked_key_stays_revoked_and_listed(data: Path) -> None:
    assert "No keys but the master key" in manage(data, "list").stdout
    key_id = keys.create()[1].id
    keys.note_use(key_id)
    assert " good " in manage(data, "list").stdout
    first = [manage(data, "revoke", key_id) for _ in range(2)]
    assert [each.exit_code for each in first] == [0, 0]
    assert " revoked " in manage(data, "list").stdout
    key = keys.find(key_id)
    assert key
    assert key.revoked
    assert key.used


def test_what_cannot_be_is_refused_with_its_remedy(data: Path) -> None:
    both = manage(data, "create", "--user", "a", "--scope", "admin")
    assert (both.exit_code, "make two keys" in both.output) == (1, True)
    assert "a user's id has" in manage(data, "create", "--user", "").output
    unknown = manage(data, "revoke", "nokey")
    assert (unknown.exit_code, "keys list" in unknown.output) == (1, True)
