"""Input files on their way: taken in, stored, fetched, and laid into the job's directory."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from pathlib import Path

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.errors import MediaRejected, MediaUnreachable, StorageFailed
from comfy_runner.media import Media, Policy, refer
from comfy_runner.media.intake import RENEW_SECONDS, Intake, Sent
from comfy_runner.media.placing import place
from settings import Settings
from tests.comfy_runner.buckets import Place
from tests.comfy_runner.media_files import gif, jpeg, png
from tests.comfy_runner.raw_server import RawServer, Script, Talk, answer, giving

POLICY = Policy(
    max_files=3,
    max_bytes=100_000,
    fetch_seconds=5.0,
    allow=(ipaddress.ip_network("127.0.0.0/8"),),
)


@pytest.fixture
def store(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "input" / "job"


def data(content: bytes) -> str:
    return base64.b64encode(content).decode()


def key_of(content: bytes) -> str:
    return f"media/{hashlib.sha256(content).hexdigest()}"


def taken(store: Place, *sent: Sent) -> tuple[Media, ...]:
    with Intake(POLICY, clock=store.clock) as intake:
        assert intake.check(sent) == []
        return intake.store(store.bucket)


def problems(*sent: Sent, policy: Policy = POLICY) -> dict[str, str]:
    with Intake(policy) as intake:
        return {each.pointer: each.message for each in intake.check(sent)}


# -- taken in ------------------------------------------------------------------------------


def test_what_is_sent_as_text_is_stored_by_its_content(store: Place, directory: Path) -> None:
    first, second = png(2, 2), png(3, 3)
    media = taken(store, Sent("a", data=data(first)), Sent("b", data=data(second)))
    assert media == (Media("a", key_of(first)), Media("b", key_of(second)))
    files = place(media, directory, bucket=store.bucket, policy=POLICY)
    assert files == {"a": "a.png", "b": "b.png"}
    assert (directory / "a.png").read_bytes() == first
    assert sorted(each.name for each in directory.iterdir()) == ["a.png", "b.png"]


class Puts(LocalBucket):
    """A bucket that remembers what was put."""

    keys: list[str]

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        self.keys = [*getattr(self, "keys", []), f"{key} {content_type}"]
        super().put(key, path, content_type=content_type, filename=filename)


def test_the_same_content_is_stored_once_a_day(store: Place) -> None:
    bucket = Puts(store.root / "files", b"s" * 32, store.clock)
    content = jpeg()

    def send(name: str) -> None:
        with Intake(POLICY, clock=store.clock) as intake:
            intake.check([Sent(name, data=data(content))])
            intake.store(bucket)

    send("a")
    send("b")
    assert bucket.keys == [f"{key_of(content)} image/jpeg"]
    at = bucket.stored_at(key_of(content))
    assert at is not None
    store.clock.now = at + RENEW_SECONDS
    send("c")
    assert len(bucket.keys) == 1
    store.clock.now += 1
    send("d")
    assert len(bucket.keys) == 2


def test_everything_wrong_is_told_and_nothing_stored(store: Place) -> None:
    found = problems(
        Sent("a", data="no base64!"),
        Sent("a", url="http://127.1:80/a.png"),
        Sent("c", data=f"data:image/png;base64,{data(jpeg())}"),
        policy=Policy(max_files=3),
    )
    assert set(found) == {"/0/data", "/1/name", "/1/url", "/2/data"}
    assert "no base64" in found["/0/data"]
    assert "earlier file" in found["/1/name"]
    assert "not public" in found["/1/url"]
    assert "declared as image/png" in found["/2/data"]
    assert store.everything() == set()


def test_there_may_be_so_many_files_and_no_more() -> None:
    sent = [Sent(str(number), key="k") for number in range(4)]
    assert problems(*sent[:3]) == {}
    assert problems(*sent) == {"": "has 4 files; a job may have 3 (MEDIA_MAX_FILES)"}


def test_a_file_may_have_so_many_bytes_and_no_more() -> None:
    assert problems(Sent("a", data=data(png().ljust(100_000)))) == {}
    assert "larger" in problems(Sent("a", data=data(png().ljust(100_001))))["/0/data"]


def test_what_was_decoded_leaves_no_trace_on_the_disk(tmp_path: Path) -> None:
    with Intake(POLICY, directory=tmp_path) as intake:
        intake.check([Sent("a", data=data(png())), Sent("b", data="!")])
        assert list(tmp_path.rglob("file"))
    assert list(tmp_path.iterdir()) == []


def test_the_limits_are_those_of_the_settings() -> None:
    settings = Settings(media_max_megabytes=2, outbound_allow=("10.0.0.0/8",))
    policy = Policy.of(settings)
    assert policy == Policy(10, 2 * 2**20, 60, (ipaddress.ip_network("10.0.0.0/8"),))


# -- laid out ------------------------------------------------------------------------------


def placed(directory: Path, store: Place, *urls: str, policy: Policy = POLICY) -> dict[str, str]:
    media = [Media(f"m{number}", url=url) for number, url in enumerate(urls)]
    return place(media, directory, bucket=store.bucket, policy=policy)


def test_a_url_is_fetched_and_its_content_names_the_type(store: Place, directory: Path) -> None:
    said = answer(gif(), "Content-Type: text/html", "Content-Disposition: attachment; filename=x")
    with RawServer(giving(said)) as server:
        assert placed(directory, store, server.url("/x.svg")) == {"m0": "m0.gif"}
    assert (directory / "m0.gif").read_bytes() == gif()


def failing(times: int, status: str) -> Script:
    seen: list[Talk] = []

    def script(talk: Talk) -> None:
        seen.append(talk)
        talk.say(answer(b"", status=status) if len(seen) <= times else answer(png()))

    return script


def test_what_may_pass_is_tried_three_times(store: Place, directory: Path) -> None:
    with RawServer(failing(2, "503 Busy")) as server:
        assert placed(directory, store, server.url()) == {"m0": "m0.png"}
        assert len(server.talks) == 3


@pytest.mark.parametrize(
    ("times", "status", "attempts"), [(9, "503 Busy", 3), (9, "404 No", 1), (9, "403 No", 1)]
)
def test_what_does_not_pass_is_unreachable(
    times: int, status: str, attempts: int, store: Place, directory: Path
) -> None:
    with RawServer(failing(times, status)) as server:
        with pytest.raises(MediaUnreachable, match=rf"media 'm0' .* HTTP {status[:3]}"):
            placed(directory, store, server.url())
        assert len(server.talks) == attempts


def test_all_attempts_together_have_the_time_of_one(store: Place, directory: Path) -> None:
    policy = Policy(fetch_seconds=0.3, allow=POLICY.allow)
    with RawServer(lambda talk: talk.hang()) as server:
        with pytest.raises(MediaUnreachable, match="more than"):
            placed(directory, store, server.url(), policy=policy)
        assert len(server.talks) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<svg/>", "no type that is taken"),
        (png(60_000, 60_000), "unpacks to"),
        (png().ljust(100_001), "larger than"),
        (b"", "empty"),
    ],
)
def test_fetched_content_is_judged_like_any_other(
    content: bytes, reason: str, store: Place, directory: Path
) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    with (
        RawServer(giving(said)) as server,
        pytest.raises(MediaRejected, match=f"media 'm0'.* {reason}"),
    ):
        placed(directory, store, server.url())


def test_a_url_that_leads_inward_is_rejected_and_not_tried_again(
    store: Place, directory: Path
) -> None:
    with RawServer(giving(answer(png()))) as server:
        with pytest.raises(MediaRejected, match="media 'm0' is not allowed: it leads to an add"):
            placed(directory, store, server.url(), policy=Policy())
        assert server.connections == 0


def test_a_stored_file_is_judged_again_and_one_that_is_gone_is_unreachable(
    store: Place, directory: Path
) -> None:
    store.put("outputs/a", b"<html>")
    with pytest.raises(MediaRejected, match="media 'old': its content"):
        place([Media("old", "outputs/a")], directory, bucket=store.bucket, policy=POLICY)
    with pytest.raises(MediaUnreachable, match="media 'old' is no longer stored"):
        place([Media("old", "outputs/b")], directory, bucket=store.bucket, policy=POLICY)


def test_two_names_that_reduce_to_one_are_two_files(store: Place, directory: Path) -> None:
    store.put("a", png(2, 2))
    store.put("b", png(3, 3))
    media = [Media("x/one", "a"), Media("y/one", "b")]
    files = place(media, directory, bucket=store.bucket, policy=POLICY)
    assert files == {"x/one": "one.png", "y/one": "one-2.png"}
    assert (directory / "one-2.png").read_bytes() == png(3, 3)


def test_a_directory_that_cannot_be_made_is_an_error_of_storage(
    store: Place, tmp_path: Path
) -> None:
    (tmp_path / "input").write_text("a file")
    with pytest.raises(StorageFailed, match="could not be written"):
        place([], tmp_path / "input" / "job", bucket=store.bucket, policy=POLICY)


# -- referred to ---------------------------------------------------------------------------


def test_every_value_that_is_a_media_name_becomes_the_path() -> None:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "a", "upload": "image"}},
        "2": {"class_type": "X", "inputs": {"a": ["1", 0], "b": "a cat", "c": 1, "d": ["a"]}},
        "3": {"class_type": "LoadImageMask", "inputs": {"image": "a"}, "_meta": {"title": "a"}},
        "4": {"class_type": "SaveImage", "inputs": {"filename_prefix": "a"}},
    }
    referred = refer(graph, {"a": "job/a.png"})
    assert referred["1"]["inputs"] == {"image": "job/a.png", "upload": "image"}
    assert (referred["2"], referred["4"]) == (graph["2"], graph["4"])
    assert referred["3"]["_meta"] == {"title": "a"}
    assert referred["3"]["inputs"]["image"] == "job/a.png"
    assert graph["1"]["inputs"] == {"image": "a", "upload": "image"}


@pytest.mark.parametrize("media", [Media("a", key="k"), Media("b", url="http://x/")])
def test_a_file_survives_its_journey_as_json(media: Media) -> None:
    assert Media.from_json(media.to_json()) == media
