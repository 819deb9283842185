"""What an S3 bucket puts on the wire, and what it makes of odd answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3 import S3Bucket, disposition
from comfy_runner.bucket.s3_client import MULTIPART_BYTES, S3Address
from comfy_runner.errors import StorageFailed
from tests.comfy_runner.s3_script import Reply, Request, ScriptedS3, agreeing

KEY = "outputs/job/9/0000-a.png"
NOT_FOR_R2 = re.compile(r"expect|x-amz-checksum.*|x-amz-trailer|x-amz-sdk-checksum.*|transfer-.*")


def bucket_at(server: ScriptedS3, waits: list[float] | None = None) -> S3Bucket:
    sleep = (waits if waits is not None else []).append
    return S3Bucket(server.address, cache_seconds=600, patience=Patience(sleep=sleep))


def put(bucket: S3Bucket, root: Path, size: int = 7) -> None:
    source = root / "source"
    with source.open("wb") as writer:
        writer.write(b"content")
        writer.truncate(size)
    bucket.put(KEY, source, content_type="image/png", filename='o"lá.png')


def test_a_put_over_tls_carries_what_r2_takes_and_nothing_else(tmp_path: Path) -> None:
    with ScriptedS3(certificate=tmp_path / "ca.pem") as server:
        put(bucket_at(server), tmp_path)

    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("PUT", f"/outputs/{KEY}", b"content")
    headers = request.headers
    assert [name for name in headers if NOT_FOR_R2.fullmatch(name)] == []
    assert "content-encoding" not in headers
    assert headers["content-length"] == "7"
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"] == (
        "inline; filename=\"o_l_.png\"; filename*=UTF-8''o%22l%C3%A1.png"
    )
    assert headers["cache-control"] == "private, max-age=600"
    assert re.fullmatch("[0-9a-f]{64}", headers["x-amz-content-sha256"])
    assert "/auto/s3/aws4_request" in headers["authorization"]
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_parts_over_tls_are_of_one_size_and_carry_no_checksums_either(tmp_path: Path) -> None:
    size = MULTIPART_BYTES + 5
    with ScriptedS3(certificate=tmp_path / "ca.pem") as server:
        put(bucket_at(server), tmp_path, size)

    first, *parts, last = server.requests
    assert (first.method, last.method) == ("POST", "POST")
    assert first.headers["content-type"] == "image/png"
    assert first.headers["cache-control"] == "private, max-age=600"
    assert first.headers["content-disposition"].startswith("inline; ")
    sizes = sorted(len(part.body) for part in parts)
    assert sizes == [5, *[16 << 20] * 4]
    for request in server.requests:
        assert [name for name in request.headers if NOT_FOR_R2.fullmatch(name)] == []


def test_up_to_the_threshold_one_request_is_enough(tmp_path: Path) -> None:
    with ScriptedS3() as server:
        put(bucket_at(server), tmp_path, MULTIPART_BYTES)

    assert [len(request.body) for request in server.requests] == [MULTIPART_BYTES]


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path: Path) -> None:
    waits: list[float] = []
    with ScriptedS3(certificate=tmp_path / "ca.pem") as server:
        address = S3Address(server.address.endpoint_url, "outputs", "the-id", "the-secret")
        bucket = S3Bucket(address, patience=Patience(sleep=waits.append))
        with pytest.raises(StorageFailed, match="certificate is not trusted; check R2_ENDPOINT"):
            put(bucket, tmp_path)

    assert (server.requests, waits) == ([], [])


@pytest.mark.parametrize("etag", ['"' + "0" * 32 + '"', None])
def test_a_file_that_was_stored_otherwise_than_sent_is_sent_again(
    etag: str | None, tmp_path: Path
) -> None:
    def forgetful(request: Request) -> Reply:
        wrong = Reply(headers={"ETag": etag} if etag else {})
        return agreeing(request) if len(server.requests) > 2 else wrong

    with ScriptedS3(forgetful) as server:
        put(bucket_at(server), tmp_path)
        assert [request.body for request in server.requests] == [b"content"] * 3

        server.requests.clear()
        impatient = S3Bucket(server.address, patience=Patience(attempts=2, sleep=lambda _: None))
        with pytest.raises(StorageFailed, match=r"damaged on the way \(tried 2 times\)"):
            put(impatient, tmp_path)


def test_an_etag_that_is_no_md5_is_taken_as_it_is(tmp_path: Path) -> None:
    headers = {"ETag": '"' + "0" * 32 + '"', "x-amz-server-side-encryption": "aws:kms"}
    with ScriptedS3(lambda _: Reply(headers=headers)) as server:
        put(bucket_at(server), tmp_path)

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "code",
    [
        "BadDigest",
        "ClientDisconnect",
        "IncompleteBody",
        "InternalError",
        "NoSuchUpload",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "TooManyRequests",
        "XAmzContentSHA256Mismatch",
    ],
)
def test_a_refusal_that_may_pass_is_tried_again_whatever_its_status(
    code: str, tmp_path: Path
) -> None:
    def refusing(request: Request) -> Reply:
        body = f"<Error><Code>{code}</Code></Error>".encode()
        return agreeing(request) if len(server.requests) > 1 else Reply(400, body)

    with ScriptedS3(refusing) as server:
        put(bucket_at(server), tmp_path)

    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 411, 412, 501])
def test_any_other_refusal_is_final(status: int, tmp_path: Path) -> None:
    body = b"<Error><Code>Odd</Code><Message>http://internal/key</Message></Error>"
    with (
        ScriptedS3(lambda _: Reply(status, body)) as server,
        pytest.raises(StorageFailed, match=rf"the bucket answered {status} Odd") as caught,
    ):
        put(bucket_at(server), tmp_path)

    assert len(server.requests) == 1
    assert "internal" not in str(caught.value)


def test_a_code_that_is_none_is_not_repeated(tmp_path: Path) -> None:
    body = b"<Error><Code>see http://internal/key</Code></Error>"
    with (
        ScriptedS3(lambda _: Reply(400, body)) as server,
        pytest.raises(StorageFailed, match=r": the bucket answered 400$"),
    ):
        put(bucket_at(server), tmp_path)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_trouble_of_the_server_is_tried_again(status: int, tmp_path: Path) -> None:
    waits: list[float] = []
    with (
        ScriptedS3(lambda _: Reply(status)) as server,
        pytest.raises(StorageFailed, match=rf"the bucket answered {status} \(tried 5 times\)"),
    ):
        put(bucket_at(server, waits), tmp_path)

    assert len(server.requests) == 5
    assert min(waits) >= 1


@pytest.mark.parametrize("headers", [{}, {"ETag": f'"{"0" * 32}"'}, {"ETag": '"abc-2"'}])
def test_an_answer_without_its_headers_is_no_empty_file(
    headers: dict[str, str], tmp_path: Path
) -> None:
    with (
        ScriptedS3(lambda _: Reply(headers=headers, tells_length=False)) as server,
        pytest.raises(StorageFailed, match="damaged on the way"),
    ):
        bucket_at(server).fetch(KEY, tmp_path / "target")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_went_up_in_parts_is_fetched_by_its_length(tmp_path: Path) -> None:
    with ScriptedS3(lambda _: Reply(body=b"content", headers={"ETag": '"abc-2"'})) as server:
        bucket_at(server).fetch(KEY, tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == b"content"
    (request,) = server.requests
    assert [name for name in request.headers if NOT_FOR_R2.fullmatch(name)] == []


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("image/png", "inline"),
        ("video/mp4", "inline"),
        ("audio/flac", "inline"),
        ("Image/PNG ;q=1", "inline"),
        ("IMAGE/SVG+XML", "attachment"),
        ("image/svg+xml; charset=utf-8", "attachment"),
        ("text/html", "attachment"),
        ("application/octet-stream", "attachment"),
    ],
)
def test_only_what_a_browser_cannot_run_opens_in_it(content_type: str, shown: str) -> None:
    assert disposition(content_type, "a b%.x") == (
        f"{shown}; filename=\"a b_.x\"; filename*=UTF-8''a%20b%25.x"
    )


@pytest.mark.parametrize(
    "filename", ['"; x="', "a\r\nSet-Cookie: x", "\\", "\ud800", "日本語.png"]
)
def test_no_file_name_breaks_out_of_its_header(filename: str) -> None:
    made = disposition("image/png", filename)
    assert re.fullmatch(
        r"inline; filename=\"[^\"\\\r\n]*\"; filename\*=UTF-8''[A-Za-z0-9._~%-]*", made
    )
