"""Input files through the whole service: from the request, from a URL, from an earlier job."""

from __future__ import annotations

import base64
import io
from typing import Any

import av
import pytest
import requests
from PIL import Image

from tests.comfy_runner.raw_server import RawServer, answer, giving
from tests.integration.service import Service, colour

pytestmark = pytest.mark.live


def picture(shade: tuple[int, int, int]) -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (16, 16), shade).save(kept, "PNG")
    return kept.getvalue()


def clip(frames: int) -> bytes:
    """Return a video of so many frames, twelve a second."""
    kept = io.BytesIO()
    with av.open(kept, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height = 32, 16
        still = Image.new("RGB", (32, 16), "red")
        for _ in range(frames):
            frame = av.VideoFrame.from_image(still)  # type: ignore[no-untyped-call]  # PyAV's own
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return kept.getvalue()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def saving(**pictures: str) -> dict[str, Any]:
    """Return a graph that loads each picture and saves it under its key's name."""
    graph: dict[str, Any] = {}
    for prefix, value in pictures.items():
        graph[f"load-{prefix}"] = {"class_type": "LoadImage", "inputs": {"image": value}}
        inputs = {"images": [f"load-{prefix}", 0], "filename_prefix": prefix}
        graph[f"save-{prefix}"] = {"class_type": "SaveImage", "inputs": inputs}
    return graph


def shades(job: dict[str, Any]) -> dict[str, Any]:
    """Return the colour of each picture of a job by the name it was saved under."""
    found = {}
    for output in job["outputs"]:
        if output["kind"] == "image":
            content = requests.get(output["url"], timeout=10).content
            name = output["filename"].partition("_")[0]
            found[name] = Image.open(io.BytesIO(content)).getpixel((0, 0))
    return found


def test_files_of_every_origin_reach_their_nodes(stack: Service) -> None:
    earlier = stack.completed(stack.submit(colour(0x0000FF), user_id="ann"))
    graph = saving(sent="a photo.jpg", fetched="http", past="past", named="unset")
    graph["watch"] = {"class_type": "LoadVideo", "inputs": {"file": "film"}}
    show = {"video": ["watch", 0], "filename_prefix": "f", "format": "auto", "codec": "auto"}
    graph["show"] = {"class_type": "SaveVideo", "inputs": show}
    with RawServer(giving(answer(picture((0, 255, 0)), "Content-Type: text/html"))) as server:
        media = [
            {"name": "a photo.jpg", "data": b64(picture((255, 0, 0)))},
            {"name": "http", "url": server.url("/x.svg?secret=1")},
            {
                "name": "past",
                "job_id": earlier["job_id"],
                "filename": earlier["outputs"][0]["filename"],
            },
            {"name": "film", "data": f"data:video/mp4;base64,{b64(clip(6))}"},
        ]
        inputs = [{"node": "load-named", "field": "image", "value": "http", "type": "media"}]
        job_id = stack.submit(graph, media=media, inputs=inputs, user_id="ann")
        job = stack.completed(job_id)
    assert shades(job) == {
        "sent": (255, 0, 0),
        "fetched": (0, 255, 0),
        "past": (0, 0, 255),
        "named": (0, 255, 0),
    }
    (shown,) = (each for each in job["outputs"] if each["kind"] == "video")
    assert (shown["width"], shown["height"], shown["frames"]) == (32, 16, 6)
    assert "secret" not in str(job)
    assert not stack.inputs()


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        (answer(b"", status="404 Not Found"), "media_unreachable", "HTTP 404"),
        (answer(b"<svg/>"), "media_rejected", "no type that is taken"),
        (
            answer(b"", "Location: http://127.0.0.2/", status="302 Found"),
            "media_rejected",
            "not public",
        ),
    ],
)
def test_a_url_without_a_usable_file_fails_the_job_and_says_why(
    stack: Service, said: bytes, code: str, message: str
) -> None:
    with RawServer(giving(said)) as server:
        media = [{"name": "face", "url": server.url("/a.png?secret=1")}]
        job = stack.ended(stack.submit(saving(x="face"), media=media))
    assert (job["status"], job["error"]["code"]) == ("failed", code)
    assert message in job["error"]["message"]
    assert "secret" not in str(job)


def test_a_broken_picture_fails_at_its_node_and_the_next_job_runs(stack: Service) -> None:
    whole = picture((1, 2, 3))
    broken = whole[:24] + bytes([77]) + whole[25:]  # a depth that no PNG has
    media = [{"name": "face", "data": b64(broken)}]
    job = stack.ended(stack.submit(saving(x="face"), media=media))
    assert job["status"] == "failed"
    assert job["error"]["node_id"] == "load-x"
    assert job["error"]["node_type"] == "LoadImage"
    stack.completed(stack.submit(colour(0x123456)))


def test_previews_are_kept_beside_what_is_saved_when_asked_for(stack: Service) -> None:
    graph = colour(0x654321)
    graph["3"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    plain = stack.completed(stack.submit(graph))
    whole = stack.completed(stack.submit(graph, temp_outputs=True))
    assert [each["temporary"] for each in plain["outputs"]] == [False]
    assert sorted(each["temporary"] for each in whole["outputs"]) == [False, True]
