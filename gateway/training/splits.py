"""How examples are divided: by groups, at random, with every class spread. May not look into a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from gateway.training.examples import Example
from gateway.training.fit import SEED, Fold


def by_group(examples: Sequence[Example], parts: int = 5, seed: int = SEED) -> Iterator[Fold]:
    """Each part once as the one that is answered; a group (equal texts) is in one part, and every class is spread."""
    groups: dict[str, list[int]] = {}
    for at, example in enumerate(examples):
        groups.setdefault(example.group, []).append(at)
    labels: dict[str, list[list[int]]] = {}
    for members in groups.values():
        labels.setdefault(examples[members[0]].label, []).append(members)
    chance, part_of = Random(seed), [0] * len(examples)  # noqa: S311 — a split that can be repeated, no secret
    turn = 0
    for label in sorted(labels):
        chance.shuffle(labels[label])
        for members in labels[label]:
            for at in members:
                part_of[at] = turn % parts
            turn += 1
    for part in range(parts):
        yield (
            [at for at, one in enumerate(part_of) if one != part],
            [at for at, one in enumerate(part_of) if one == part],
        )
