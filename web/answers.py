"""The API's JSON answers as a client reads them: jobs, outputs and errors as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

FINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True)
class Output:
    """One output of a finished job; `url` is signed and expires."""

    node_id: str
    kind: str
    filename: str
    url: str | None = None
    size_bytes: int | None = None
    content_type: str | None = None
    text: str | None = None
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    frames: int | None = None
    temporary: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class JobError:
    """Why a job failed."""

    code: str
    message: str
    node_id: str | None = None
    node_type: str | None = None
    node_title: str | None = None


@dataclass(frozen=True)
class Cost:
    """What a job was computed on, for how long, and for how many dollars if there is a price."""

    gpu: str
    gpu_seconds: float = 0.0
    usd: float | None = None


@dataclass(frozen=True)
class Job:
    """A job as the API last told it; `document` is the API's own JSON."""

    job_id: str
    status: str
    created_at: datetime | None = None
    progress: int = 0
    current_node: str | None = None
    current_step: int | None = None
    total_steps: int | None = None
    nodes_done: int = 0
    nodes_total: int = 0
    outputs: tuple[Output, ...] = ()
    logs: tuple[str, ...] = ()
    error: JobError | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    user_id: str | None = None
    queue_position: int | None = None
    estimated_wait_seconds: float | None = None
    retry_of: str | None = None
    timings: Mapping[str, float | None] = field(default_factory=dict)
    cost: Cost | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_final(self) -> bool:
        """Tell whether the job has ended, in whatever way."""
        return self.status in FINAL


@dataclass(frozen=True)
class Page:
    """Jobs, newest first, and the cursor of the next page, if there is one."""

    jobs: tuple[Job, ...]
    next: str | None


@dataclass(frozen=True)
class NamedWorkflow:
    """A workflow that the app ships; `params` is the JSON Schema of what may be set in it."""

    name: str
    title: str = ""
    description: str = ""
    models: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class UsedBy:
    """What ended jobs have used that have a user, a day of submission or a GPU in common."""

    name: str | None
    jobs: int = 0
    gpu_seconds: float = 0.0
    usd: float | None = None

    def plus(self, other: UsedBy | None) -> UsedBy:
        """Return both together, under this one's name."""
        if other is None:
            return self
        known = [each for each in (self.usd, other.usd) if each is not None]
        return UsedBy(
            self.name,
            self.jobs + other.jobs,
            self.gpu_seconds + other.gpu_seconds,
            sum(known) if known else None,
        )


@dataclass(frozen=True)
class Judgement:
    """What the API told of a submission that it would accept: how many nodes and files."""

    nodes: int
    media: int


Known = TypeVar("Known", Output, JobError, Cost, Job, NamedWorkflow, UsedBy, Judgement)


def read_job(document: Any) -> Job:
    """Return the job in an answer; raise ValueError if it is not one."""
    try:
        told = {name: value for name, value in document.items() if value is not None}
        for name in {"created_at", "started_at", "completed_at"} & told.keys():
            told[name] = datetime.fromisoformat(told[name])
        told["outputs"] = tuple(read_output(each) for each in told.get("outputs", ()))
        told["logs"] = tuple(told.get("logs", ()))
        told["error"] = read_error(document.get("error"))
        told["cost"] = _known(Cost, cost) if (cost := document.get("cost")) else None
        return _known(Job, told | {"document": document})
    except (AttributeError, TypeError) as error:
        raise ValueError("the answer is not a job") from error


def read_output(document: Any) -> Output:
    """Return the output in an answer; raise TypeError or AttributeError if it is not one."""
    return _known(Output, document)


def read_error(document: Any) -> JobError | None:
    """Return why a job failed, if it did; raise as `read_output` does."""
    return _known(JobError, document) if document else None


def read_workflow(document: Any) -> NamedWorkflow:
    """Return the named workflow in an answer; raise ValueError if it is not one."""
    try:
        return _known(NamedWorkflow, {**document, "models": tuple(document.get("models", ()))})
    except (AttributeError, TypeError) as error:
        raise ValueError("the answer is not a workflow") from error


def read_used(document: Any) -> UsedBy:
    """Return the sum in an answer; raise ValueError if it is not one."""
    try:
        return _known(UsedBy, document)
    except (AttributeError, TypeError) as error:
        raise ValueError("the answer is not a sum") from error


def read_judgement(document: Any) -> Judgement:
    """Return the judgement in an answer; raise ValueError if it is not one."""
    try:
        return _known(Judgement, document)
    except (AttributeError, TypeError) as error:
        raise ValueError("the answer is not a judgement") from error


def _known(kind: type[Known], document: Mapping[str, Any]) -> Known:
    # A newer server may say more than this client knows.
    names = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in document.items() if name in names})
