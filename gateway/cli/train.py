"""`jiesu train`: a model from a site's own tickets, or again those that come with us. May not run in a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import EX_CONFIG, EX_NOINPUT, EX_UNAVAILABLE, fail

if TYPE_CHECKING:
    from normalizer.models import Linear

group = typer.Typer(help="Train the models that read tickets (needs the extra `train`).", no_args_is_help=True)

From = Annotated[Path, typer.Option("--from", metavar="FILE", help="JSON Lines or CSV")]
Shared = Annotated[
    Path | None, typer.Option("--from", metavar="FILE", help="JSON Lines or CSV; left out: --data as we train ours")
]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The folder of public texts")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model is written")]
Text = Annotated[list[str], typer.Option("--text", metavar="FIELD", help="Field of the words; several are joined")]
Label = Annotated[str, typer.Option("--label", metavar="FIELD", help="Field of the right answer")]
Levels = Annotated[
    list[str],
    typer.Option("--label", metavar="FIELD", help="Field of the right answer; several are levels, the widest first"),
]


@group.command()
def category(
    out: Out,
    file: Shared = None,
    data: Data = None,
    text: Text = ["title", "text"],  # noqa: B006 — typer copies it
    label: Levels = ["category.code"],  # noqa: B006
    goal: Annotated[
        float, typer.Option("--goal", min=0.5, max=0.999, help="The share of its answers that must be right")
    ] = 0.98,
) -> None:
    """What a matter is about, in the words of the file."""
    recipes = _recipes()
    with _explained():
        examples = recipes.petitions(_one(file, data)) if file is None else _examples(file, text, label)
        about = {"data": _named(file, recipes.SEGMENTED)}
        _write(recipes.category(examples, about, goal), out / "category.model")


@group.command()
def kind(
    out: Out,
    file: Shared = None,
    data: Data = None,
    text: Text = ["title", "text"],  # noqa: B006 — typer copies it
    label: Label = "kind",
) -> None:
    """What a citizen wants: consultation, complaint, suggestion …"""
    from normalizer.ticket import Kind

    recipes = _recipes()
    with _explained():
        if file is None:
            folder = _one(file, data)
            own, notes = [*recipes.appeals(folder), *recipes.written()], recipes.notes(folder)
        else:
            own, notes = _examples(file, text, [label]), []
            if strange := sorted({one.label for one in own} - {one.value for one in Kind}):
                raise fail(f"{file.name}: {len(strange)} answers that are no kind of ticket", EX_NOINPUT)
        about = {"data": _named(file, f"{recipes.APPEALS}, {recipes.CALLS}, {recipes.WRITTEN.name}")}
        _write(recipes.kind(own, notes, about), out / "kind.model")


@group.command()
def units(
    file: From,
    out: Out,
    text: Text = ["title", "text"],  # noqa: B006 — typer copies it
    label: Label = "unit",
    order: Annotated[str, typer.Option("--order", metavar="FIELD", help="Field by which rows follow in time")] = (
        "number"
    ),
) -> None:
    """Who should take a ticket, from who took those before."""
    from gateway.training.examples import read

    recipes = _recipes()
    with _explained():
        examples = read(file, text=tuple(text), label=label, order=order)
        _write(recipes.units(examples, {"data": file.name}), out / "units.model")


@group.command()
def marks(
    out: Out,
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The folder of public texts")],
) -> None:
    """What a text sounds like where no rule has its words: danger, tiers, flags."""
    _recipes()
    from gateway.training import marks as recipe

    with _explained():
        cases = [*recipe.written(), *recipe.real(data)]
        about = {"data": f"texts/danger, texts/marks, rules, {', '.join(name for name, _ in recipe.REAL)}"}
        _save(recipe.train(cases, about), out / "marks.model")


def _recipes() -> Any:
    try:
        import sklearn.svm  # noqa: F401
    except ImportError:
        raise fail("scikit-learn is not installed: pip install 'jiesu[train]'", EX_UNAVAILABLE) from None
    from gateway.training import recipes

    return recipes


def _examples(file: Path, text: list[str], label: list[str]) -> list[Any]:
    from gateway.training.examples import read

    return read(file, text=tuple(text), label=tuple(label))


def _one(file: Path | None, data: Path | None) -> Path:
    if data is None:
        raise fail("one of: --from, --data", EX_NOINPUT)
    return data


def _named(file: Path | None, ours: str) -> str:
    return ours if file is None else file.name


def _explained() -> Any:
    from contextlib import contextmanager

    from gateway.training.examples import BadExamples

    @contextmanager
    def context() -> Any:
        try:
            yield
        except BadExamples as error:
            raise fail(str(error), EX_CONFIG) from None
        except OSError as error:
            raise fail(f"{error.filename}: {error.strerror}", EX_NOINPUT) from None

    return context()


def _write(model: Linear, path: Path) -> None:
    _save(model, path)
    about = model.about
    typer.echo(
        f"{len(model.labels)} answers from {about['examples']} examples; on unseen ones it answers "
        f"{about['answered']:.1%}, {about['right']:.1%} right"
    )


def _save(model: Linear, path: Path) -> None:
    from normalizer.models.model_file import dump

    content = dump(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(content)
    beside.replace(path)  # never in place: a running server has the old one mapped, and reads on in it
    typer.echo(f"{path}: {len(content)} bytes")


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    app.add_typer(group, name="train")
