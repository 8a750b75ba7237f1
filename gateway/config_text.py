"""The configuration as text: reading YAML, saying what is wrong with it, printing it without its secrets.

May not repeat a value it was given in an error: it might be a password.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

MASK: Final = "**********"
_SECRET_KEY: Final = re.compile(r"(^|_)(secret|secrets|password|passphrase|token|key)$")
_USERINFO: Final = re.compile(r"://[^/@\s]*@")


class ConfigError(Exception):
    """The configuration cannot be used. `problems`: every fault, each with the dotted path of its key."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(*problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class _Loader(yaml.SafeLoader):
    """YAML whose keys are strings, and without its silent habit of keeping the last of two equal ones."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} appears twice", problem_mark=key.start_mark)
            seen.add(key.value)
            if key.value != "<<":
                key.tag = "tag:yaml.org,2002:str"  # YAML 1.1 reads the keys off and no as False
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; a section without any key counts as absent.

    Raises:
        ConfigError: it cannot be read, is not YAML, or names a key twice.
    """
    try:
        document = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8"]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError([f"{path}{where}: {error.problem}"]) from None
    except yaml.YAMLError:
        raise ConfigError([f"{path}: is not YAML"]) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: must be a mapping of sections"])
    return {str(name): block for name, block in document.items() if block is not None}


def write_yaml(document: object) -> str:
    """YAML in the order given."""
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return text


def redacted(value: Any, key: str = "") -> Any:
    """`value` with secrets masked: whatever stands under a key that says so, and user names in addresses."""
    if isinstance(value, dict):
        return {k: redacted(v, str(k)) for k, v in value.items()}
    if value is not None and _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, list):
        return [redacted(item) for item in value]
    return _USERINFO.sub(f"://{MASK}@", value) if isinstance(value, str) else value


def nearest(key: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` when a known key looks like `key`, else what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (known: {', '.join(names)})" if names else ""


def faults(model: type[BaseModel], error: ValidationError, prefix: Sequence[str] = ()) -> list[str]:
    """One sentence per fault, each starting with the dotted path of its key; never the value."""
    found = error.errors(include_input=False, include_context=False, include_url=False)
    return [_fault(model, [*prefix], one["loc"], one["type"], one["msg"]) for one in found]


def _fault(model: type[BaseModel], keys: list[str], location: Iterable[int | str], kind: str, message: str) -> str:
    here: Any = model
    known: Iterable[str] = ()
    for part in location:
        known = here.model_fields if _is_model(here) else ()
        here, is_key = _step(here, part)
        if is_key:
            keys.append(str(part))
    path = ".".join(keys) or "configuration"
    if kind == "extra_forbidden":
        return f"{path}: unknown key{nearest(keys[-1], known)}"
    return f"{path}: {message.removeprefix('Value error, ')}"


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _step(here: Any, part: int | str) -> tuple[Any, bool]:
    """What stands at `part` of a location below the type `here`, and whether `part` is a key that the
    operator wrote: pydantic puts the tag of a discriminated union into the location too."""
    if _is_model(here):
        field = here.model_fields.get(str(part))
        return (field.annotation if field else None), True
    origin, options = get_origin(here), get_args(here)
    if origin is Annotated:
        return _step(options[0], part)
    if origin in (dict, Mapping):
        return options[1], True
    if origin in (tuple, list):
        return options[0], True
    models = [option for option in options if _is_model(option)]
    tagged = [model for model in models if part in _tags(model)]
    if tagged:
        return tagged[0], False
    return _step(models[0], part) if models else (None, True)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("type")
    return get_args(field.annotation) if field else ()
