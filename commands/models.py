"""The commands that look after model files, and after the entries for them in an app's file."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TransferSpeedColumn

import apps
import settings
from apps import App, AppError, Model
from comfy_runner import models as files
from comfy_runner.models.manifest import source_of
from comfy_runner.models.plan import gigabytes
from commands.app_file import CannotEdit, with_model, without_model
from commands.modal_cli import PROGRAM, modal
from commands.modal_target import Target, app_option, target_of
from commands.pulling import Lines, models_of
from commands.terminal import print_table, printable
from settings import Settings

_ON_HUB = re.compile(r"/([^/]+/[^/]+)/(?:resolve|blob)/([^/]+)/(.+)")
_COMMIT = re.compile(r"(@[0-9a-f]{7})[0-9a-f]{33}$")
_IN_REPO = re.compile(r"([\w.-]+/[\w.-]+)/(.+)")


@click.group()
def models() -> None:
    """Fetch the models that an app's file names, check them, and change what it names.

    They go to MODELS_DIR, by default the folder `models` of DATA_DIR, where the ComfyUI of
    `serve` finds them.
    """


@models.command("list")
@app_option
def list_models(*, app_file: Path | None) -> None:
    """List the models that an app names, what is there of them, and files that no app names."""
    target, place = target_of(app_file, None), settings.load().models_place
    with _refusals():
        _print(files.look(target.app.models, place))
        _print_unused(target, place)


@models.command("pull")
@app_option
@click.option(
    "--on",
    type=click.Choice(["here", "modal"]),
    default="here",
    show_default=True,
    help="Where to.",
)
def pull_models(*, app_file: Path | None, on: str) -> None:
    """Fetch every model that is not there yet; what broke off goes on where it was."""
    target = target_of(app_file, None)
    if on == "modal":
        doing = f"Fetching the models of {target.app.name}"
        modal(target, "run", f"{PROGRAM}::pull_models", doing=doing)
        return
    known = settings.load()
    with _refusals(), _progress() as progress:
        files.pull(
            target.app.models,
            known.models_place,
            access=files.Access(token=known.hf_token),
            report=lambda line: click.echo(printable(line)),
            progress=progress,
        )
    click.echo(f"Every model that {target.app.name} names is in {known.models_place}.")
    _print_unused(target, known.models_place)


@models.command("verify")
@app_option
def verify_models(*, app_file: Path | None) -> None:
    """Read every model through and compare it with its checksum; fail unless all are right."""
    target, place = target_of(app_file, None), settings.load().models_place
    with _refusals():
        found = files.verify(target.app.models, place)
    _print(found)
    bad = [each for each in found if each.state in {"missing", "wrong"}]
    for each in bad:
        click.echo(f"{each.model.path}: {each.fault or 'it is not there'}.", err=True)
    if bad:
        raise click.ClickException(
            f"{len(bad)} of {len(found)} models are not right; "
            f"`python manage.py models pull{target.option}` fetches them."
        )


@models.command("add")
@click.argument("source")
@click.option("--folder", required=True, help="The folder of ComfyUI's, such as checkpoints.")
@click.option("--file", "name", help="The file's name, if the address does not end in it.")
@click.option("--revision", help="Branch, tag or commit.  [default: main, as it is now]")
@click.option("--sha256", help="What its content must be.  [default: as the hub says]")
@app_option
def add_model(*, source: str, app_file: Path | None, **facts: str | None) -> None:
    """Add a model to an app's file, pinned to what it is now.

    SOURCE is OWNER/REPOSITORY/PATH on Hugging Face, the address of a file's page there, or any
    other address.
    """
    target = target_of(app_file, None)
    entry = _entry(source, **facts)
    with _refusals():
        entry |= _pinned(Model(**entry), settings.load())
    _write(target.file, lambda text: with_model(text, entry))
    click.echo(f"Next: python manage.py models pull{target.option}, or deploy the app anew.")


@models.command("remove")
@click.argument("name")
@app_option
def remove_model(*, name: str, app_file: Path | None) -> None:
    """Take a model out of an app's file; NAME is its path or file name. The file itself stays."""
    target = target_of(app_file, None)
    found = [each.path for each in target.app.models if name in {each.path, each.name}]
    if len(found) != 1:
        there = ", ".join(found or [each.path for each in target.app.models]) or "none"
        many = "several models are called" if found else "there is no model"
        raise click.ClickException(f"{target.file}: {many} {name}; there are: {there}.")
    _write(target.file, lambda text: without_model(text, found[0]))
    kept = settings.load().models_place / found[0]
    if kept.is_file():
        click.echo(f"The file stays; remove it yourself if nothing else needs it: {kept}")


def _entry(source: str, *, name: str | None, **facts: str | None) -> dict[str, str]:
    given = {key: value for key, value in facts.items() if value is not None}
    parts = urlsplit(source)
    if parts.scheme not in {"http", "https"}:
        found = _IN_REPO.fullmatch(source)
        if not found:
            raise click.UsageError(f"{source}: name OWNER/REPOSITORY/PATH or an address")
        return {"repo": found.group(1), "file": found.group(2)} | given
    on_hub = _ON_HUB.fullmatch(unquote(parts.path))
    if parts.hostname in {"huggingface.co", "hf.co"} and on_hub:
        repo, revision, file = on_hub.groups()
        return {"repo": repo, "file": file, "revision": revision} | given
    file = name or unquote(parts.path).rpartition("/")[2]
    if "." not in file:
        raise click.UsageError(f"{source} does not end in a file's name: give it with --file")
    return {"url": source, "file": file} | given


def _pinned(model: Model, known: Settings) -> dict[str, str]:
    """Ask the hub for what pins a model of its own."""
    if model.repo is None:
        return {}
    from comfy_runner.models.hub import pin  # noqa: PLC0415 - a quarter of a second

    commit, sha256 = pin(model, token=known.hf_token)
    pinned = {"revision": commit}
    return pinned | ({"sha256": sha256} if sha256 and not model.sha256 else {})


def _write(file: Path, change: Callable[[str], str]) -> None:
    """Change an app's file, show how, and leave it as it was if it would be wrong."""
    text = file.read_text(encoding="utf-8")
    try:
        changed = change(text)
    except CannotEdit as error:
        raise click.ClickException(f"{file}: {error}") from error
    draft = file.with_name(f".{file.name}.draft")
    try:
        draft.write_text(changed, encoding="utf-8")
        apps.load(draft)
        draft.replace(file)
    except AppError as error:
        problems = "\n  ".join(error.problems)
        raise click.ClickException(f"{file} stays as it is:\n  {problems}") from error
    except OSError as error:
        raise click.ClickException(f"{file} cannot be changed: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    lines = difflib.unified_diff(text.splitlines(), changed.splitlines(), lineterm="", n=2)
    for line in [str(file), *list(lines)[2:]]:
        click.echo(printable(line))


def _print(found: tuple[files.Checked, ...]) -> None:
    if not found:
        click.echo("The app names no models.")
        return
    rows = [
        (
            each.model.path,
            gigabytes(each.size) if each.size else "",
            each.state,
            _COMMIT.sub(r"\1", source_of(each.model)),
        )
        for each in found
    ]
    print_table(("MODEL", "SIZE", "STATE", "SOURCE"), rows)


def _print_unused(target: Target, place: Path) -> None:
    strays = files.unused(models_of([target.app, *_beside(target.file)]), place)
    if strays:
        click.echo(f"\nIn {place}, and named by no app beside {target.file.name}:")
    for stray in strays:
        click.echo(printable(f"  {stray.path} ({gigabytes(stray.size)})"))


def _beside(file: Path) -> Iterator[App]:
    """Yield the other apps in the directory of an app's file: they share the models."""
    for other in sorted(file.absolute().parent.glob("*.toml")):
        try:
            yield apps.load(other)
        except AppError:
            click.echo(f"{other.name} is wrong: models that only it names count as unused.")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except files.ModelsError as error:
        raise click.ClickException(printable(str(error))) from error
    except OSError as error:
        where = error.filename or "the models directory"
        raise click.ClickException(f"{where}: {error.strerror or error}") from error


@contextmanager
def _progress() -> Iterator[Callable[[Any, int, int | None], None]]:
    """Show how far each file is: as bars on a terminal, as lines anywhere else."""
    if not sys.stdout.isatty():
        yield Lines(click.echo)
        return
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    rows: dict[str, TaskID] = {}
    with Progress(*columns) as bar:

        def show(model: Any, size: int, whole: int | None) -> None:
            if model.path not in rows:
                rows[model.path] = bar.add_task(printable(model.path), total=whole)
            bar.update(rows[model.path], completed=size)

        yield show
