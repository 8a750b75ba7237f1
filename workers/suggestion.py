"""What a site's own past says of a ticket that no rule decides: the unit that took such tickets, and how sure that is.

Pure. May not overrule a rule, and may never suggest whom the ticket accuses, nor a unit below.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from normalizer.models import Linear
from normalizer.simplified import simplified
from normalizer.ticket import Decision, Flag, Ticket
from workers.catalogue import CANDIDATES, Decided, Suggested, is_fair, over
from workers.region import Region

_TOP: Final = 3
_READ: Final = 12  # answers looked at: several may mean one unit


class Suggester:
    """A model made by `jiesu train units`, and the units of a region that its answers mean, by id or by name."""

    def __init__(self, model: Linear, region: Region) -> None:
        named: dict[str, list[str]] = {}
        for unit in region.units.values():
            for name in {unit.id, unit.name, *unit.called}:
                named.setdefault(name, []).append(unit.id)
        self._model, self._region = model, region
        self._units = {label: named[label][0] for label in model.labels if len(named.get(label, ())) == 1}

    @property
    def strangers(self) -> tuple[str, ...]:
        """Answers of the model that are no unit of the region, or several."""
        return tuple(label for label in self._model.labels if label not in self._units)

    def suggest(self, ticket: Ticket) -> tuple[Suggested, ...]:
        """The likeliest three, the likeliest first: a unit by all its names together. `unit` is None where it is no
        unit of ours."""
        guesses = self._model.guesses(simplified(f"{ticket.title}\n{ticket.text}"), _READ)
        sure: dict[tuple[str | None, str], float] = {}
        for one in guesses:
            unit = self._units.get(one.label)
            meant = (unit, unit or one.label)
            sure[meant] = sure.get(meant, 0.0) + one.confidence
        first = sorted(sure, key=sure.__getitem__, reverse=True)[:_TOP]
        return tuple(Suggested(meant[0], round(min(sure[meant], 1.0), 4)) for meant in first)

    def advise(self, decided: Decided, ticket: Ticket) -> Decided:
        """The decision, with what the past says of it where no rule holds: dispatched if that is sure enough, else the
        likeliest are shown to the person who decides."""
        if decided.rule is not None or decided.decision is not Decision.DISPATCH:
            return decided
        told = self.suggest(ticket)
        fair = tuple(one for one in told if one.unit is not None and is_fair(one.unit, decided.accused, self._region))
        if not fair:
            return decided
        why = (*decided.why, f"past tickets: {', '.join(f'{one.unit} {one.confidence:.2f}' for one in fair)}")
        first = fair[0]
        if first == told[0] and first.confidence >= self._model.threshold and self._may_go(first, decided, ticket):
            return self._dispatched(first, decided, fair, why)
        ours = dict.fromkeys((*(one.unit for one in fair if one.unit), *decided.candidates))
        candidates = decided.candidates if decided.lead else tuple(ours)[:CANDIDATES]
        return replace(decided, candidates=candidates, suggested=fair, why=why)

    def _may_go(self, first: Suggested, decided: Decided, ticket: Ticket) -> bool:
        """Not where somebody in office is accused and we do not know of which unit, for that may be this one; nor to
        another district than the one that the ticket names."""
        if decided.accused_unknown or (Flag.AGAINST_OFFICIAL in ticket.flags and not decided.accused):
            return False
        named = self._region.district_of(decided.lead) if decided.lead else None
        its = self._region.district_of(first.unit) if first.unit else None
        return named is None or its is None or named is its

    def _dispatched(
        self, first: Suggested, decided: Decided, fair: tuple[Suggested, ...], why: tuple[str, ...]
    ) -> Decided:
        informed = over(first.unit, self._region) if first.unit else ()
        return replace(
            decided,
            lead=first.unit,
            co=(),
            cc=tuple(one for one in informed if is_fair(one, decided.accused, self._region)),
            candidates=(),
            reason=f"suggested by past tickets ({first.confidence:.2f})",
            suggested=fair,
            why=why,
        )
