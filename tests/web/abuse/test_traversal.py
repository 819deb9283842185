"""Names, keys and prefixes that climb out of their directories: none of them gets anywhere."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comfy_runner.bucket import LocalBucket
from comfy_runner.bucket.port import InvalidKey
from comfy_runner.media import Media, Policy
from comfy_runner.media.placing import place
from comfy_runner.outputs import key_for
from tests.comfy_runner.media_files import png
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import places, problem
from web.downloads import safe_name

CLIMBING = [
    "..",
    "../x",
    "../../../../etc/passwd",
    "/etc/passwd",
    "a/../../x",
    "a/./../../x",
    "..\\..\\x",
    "C:\\x",
    "C:x",
    "\\\\server\\share\\x",
    "//server/share/x",
    "....//x",
    "..\x00/x",
    "x\x00.png",
    "\uff0e\uff0e\uff0fx",
    "\u2025/x",
    "~/x",
    "~root/x",
    "..;/x",
    "%2e%2e%2fx",
    ".",
    "./.ssh/x",
    "x/",
    "x" * 5000,
]


@pytest.mark.parametrize("name", CLIMBING)
def test_an_input_file_lies_in_its_directory_whatever_it_is_called(
    name: str, tmp_path: Path
) -> None:
    bucket = LocalBucket(tmp_path / "bucket", b"s" * 32)
    (tmp_path / "sent").write_bytes(png())
    bucket.put("media/x", tmp_path / "sent", content_type="image/png", filename="x")
    directory = tmp_path / "in" / "job"
    files = place([Media(name, key="media/x")], directory, bucket=bucket, policy=Policy(allow=()))
    (placed,) = directory.iterdir()
    assert files == {name: placed.name}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bucket", "in", "sent"]


@pytest.mark.parametrize("name", CLIMBING)
def test_a_name_goes_with_the_job_as_a_name_or_not_at_all(
    client: FlaskClient, jobs: MemoryJobs, bucket: LocalBucket, name: str
) -> None:
    data = base64.b64encode(png()).decode()
    graph = {"1": {"class_type": "LoadImage", "inputs": {"image": name}}}
    body: dict[str, Any] = {"workflow": graph, "media": [{"name": name, "data": data}]}
    answer = client.post("/v1/jobs", json=body)
    if answer.status_code != 202:
        assert places(problem(answer, 422, "invalid_request")) == ["/media/0/name"]
        return
    ((sent,),) = jobs.media
    assert sent.key
    assert sent.key.startswith("media/")
    assert "x" not in sent.key  # it is a digest, in hexadecimal digits


@pytest.mark.parametrize("prefix", [each for each in CLIMBING if each.strip("x")])
def test_a_prefix_that_leads_out_of_the_folder_is_refused_or_plain(
    client: FlaskClient, jobs: MemoryJobs, prefix: str
) -> None:
    inputs = {"filename_prefix": prefix}
    graph = {"1": {"class_type": "SaveImage", "inputs": inputs}}
    answer = client.post("/v1/jobs", json={"workflow": graph})
    climbs = any(part == ".." for part in prefix.replace("\\", "/").split("/"))
    if climbs or prefix.startswith(("/", "\\")):
        assert answer.status_code == 422, prefix
    if answer.status_code == 422:
        told = places(problem(answer, 422, "invalid_workflow"))
        assert told == ["/workflow/1/inputs/filename_prefix"]
        assert jobs.submitted == []
    overridden = {
        "workflow": {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "a"}}},
        "inputs": [{"node": "1", "field": "filename_prefix", "value": prefix}],
    }
    assert client.post("/v1/jobs", json=overridden).status_code == answer.status_code


@pytest.mark.parametrize("name", CLIMBING)
def test_no_name_of_a_workflow_opens_a_file(client: FlaskClient, name: str) -> None:
    answer = client.post("/v1/jobs", json={"workflow": {"name": name}})
    body = answer.get_json()
    assert answer.status_code in {404, 422}
    assert "passwd" not in body["detail"].replace(name, "")
    assert client.get("/v1/workflows/" + name.replace("/", "%2f")).status_code in {401, 404, 405}


@pytest.mark.parametrize("name", CLIMBING)
def test_no_name_of_an_output_makes_a_key_that_climbs(name: str, tmp_path: Path) -> None:
    bucket = LocalBucket(tmp_path / "files", b"s" * 32)
    (tmp_path / "made").write_bytes(b"x")
    key = key_for("job", name, 0, name)
    bucket.put(key, tmp_path / "made", content_type="image/png", filename="x")
    assert bucket.open(key).path.is_relative_to(tmp_path / "files" / "outputs" / "job")
    assert Path(safe_name(name)).name == safe_name(name)


@pytest.mark.parametrize("key", [each for each in CLIMBING if each not in {"~/x"}])
def test_no_bucket_takes_a_key_that_climbs(key: str, tmp_path: Path) -> None:
    bucket = LocalBucket(tmp_path / "files", b"s" * 32)
    (tmp_path / "made").write_bytes(b"x")
    for act in (
        lambda: bucket.put(key, tmp_path / "made", content_type="a/b", filename="x"),
        lambda: bucket.fetch(key, tmp_path / "got"),
        lambda: bucket.url(key, ttl_seconds=1),
        lambda: bucket.delete(key),
        lambda: bucket.purge(key, before=1e12),
        lambda: bucket.stored_at(key),
    ):
        with pytest.raises(InvalidKey):
            act()
    assert (tmp_path / "made").exists()
