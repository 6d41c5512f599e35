"""CM.com's number requests: what may be ordered, what becomes of it, and the document that tells.

Documented are the rules. Inferred are nearly all names and every status; the words here are those of the contract. Invented: when an order
changes its status, its reasons, and the numbers, whose country code +999 belongs to nobody.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from .forms import RefusedError
from .ledger import Order, OrderView, Step
from .life import Life

#: Final statuses that leave the buyer with nothing.
BAD: Final = frozenset({"REJECTED", "CANCELLED", "CANCELED", "FAILED"})
FINAL: Final = BAD | {"COMPLETED"}
STATUSES: Final = ("REQUESTED", "PENDING", "APPROVED", "IN_PROGRESS", "COMPLETED", "REJECTED", "CANCELLED", "FAILED")

_LAST_WORD: Final = {
    "finished": "COMPLETED",
    "partial": "COMPLETED",
    "errored": "FAILED",
    "rejected": "REJECTED",
    "void": "CANCELLED",
}
_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NANPA: Final = re.compile("[2-9][0-9]{2}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


#: JSON name -> whether a value will do, and what is meant in words. All but the first three may be null or missing.
_FIELDS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "companyProfileGuid": (lambda v: isinstance(v, str) and bool(_UUID.fullmatch(v)), "a uuid"),
    "quantity": (lambda v: _is_count(v, 1000), "a number from 1 to 1000"),
    "phoneNumberType": (lambda v: v in {"LOCAL", "NATIONAL", "TOLLFREE"}, "LOCAL, NATIONAL or TOLLFREE"),
    "rangeSize": (lambda v: _is_count(v, 2**31 - 1), "a positive number"),
    "areaCode": (_is_text, "a text"),
    "city": (_is_text, "a text"),
    "region": (_is_text, "a text"),
    "comment": (lambda v: isinstance(v, str), "a text"),
    "callbackUrl": (lambda v: isinstance(v, str) and bool(re.fullmatch(r"https?://[^\s/]\S*", v)), "an address"),
}
_REQUIRED: Final = ("companyProfileGuid", "quantity", "phoneNumberType")


def check(body: object) -> dict[str, Any]:
    """The body of a create, nulls left out. RefusedError (400) says what is wrong with it."""
    if not isinstance(body, dict):
        raise RefusedError(400, "The body is no object.")
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name not in _FIELDS:
            raise RefusedError(400, f"{name}: there is no such field.")
        fits, meant = _FIELDS[name]
        if not fits(value):
            raise RefusedError(400, f"{name}: must be {meant}.")
    for name in _REQUIRED:
        if name not in given:
            raise RefusedError(400, f"{name}: is required.")
    if "areaCode" not in given and "city" not in given:
        raise RefusedError(400, "areaCode: is required when there is no city.")
    if "region" in given and "areaCode" in given and not _NANPA.fullmatch(given["areaCode"]):
        raise RefusedError(400, "region: is for NANPA only.")
    return given


def timeline(life: Life, processing: float) -> list[tuple[float, str]]:
    """(seconds since acceptance, status), in order of time, the first at zero. A script has its own words."""
    requested, approved = (0.0, "REQUESTED"), (processing / 2, "APPROVED")
    if life.statuses:
        return [requested, *life.statuses]
    if life.result in {"rejected", "void"}:
        return [requested, (processing, _LAST_WORD[life.result])]
    if life.result != "parked":
        return [requested, approved, (processing, _LAST_WORD[life.result])]
    parked = [requested, (processing, "PENDING")]
    if life.paid_after is None:
        return parked
    paid = processing + life.paid_after
    return [*parked, (paid, "APPROVED"), (paid + processing, "COMPLETED")]


@dataclass(slots=True, kw_only=True)
class NumberRequest(Order):
    """An accepted order at CM.com. Its `form` is the JSON body, and it has no goods: the numbers follow one another from `first`."""

    service: ClassVar[str] = "cm"

    first: int

    @property
    def callback_url(self) -> str | None:
        """Where each change of its status is posted."""
        return self.form.get("callbackUrl")

    def is_final(self, now: float) -> bool:
        """Whether it has come to its end. The last word of a script is one, whatever it says."""
        scripted = bool(self.life.statuses) and self.steps[-1].at <= now
        return scripted or self.status(now) in FINAL

    def pay(self, now: float) -> tuple[list[Step], list[Step]]:
        """Let CM.com's people approve it now; the steps this drops and those it adds."""
        if self.status(now) != "PENDING":
            raise ValueError(f"Number request {self.id} is {self.status(now)}: only a PENDING one can be let go on.")
        return self._change(now, [Step(now, "APPROVED"), Step(now + self.processing, "COMPLETED")])

    def cancel(self, now: float) -> tuple[list[Step], list[Step]]:
        """End it now; the steps this drops and those it adds."""
        return self._change(now, [Step(now, "CANCELLED")])

    def _change(self, now: float, added: list[Step]) -> tuple[list[Step], list[Step]]:
        dropped = [step for step in self.steps if step.at > now]
        self.steps = [step for step in self.steps if step.at <= now] + added
        return dropped, added

    def assigned(self, status: str) -> int:
        """How many numbers it has under a status: none before the end, and one too few for a partial one."""
        good = status == "COMPLETED" or (
            bool(self.life.statuses) and status == self.steps[-1].status and status not in BAD
        )
        quantity: int = self.form["quantity"]
        return 0 if not good else quantity - (self.life.result == "partial")

    def view(self) -> OrderView:
        """Freeze it as it is now."""
        status = self.status(time.monotonic())
        numbers = tuple(f"+{self.first + i}" for i in range(self.assigned(status)))
        return OrderView(self.id, self.form, self.accepted_at, status, numbers, self.life, self.calls)

    def document(self, status: str) -> dict[str, Any]:
        """Get Number Request's answer, and the body of a callback. The four fields of a range are null until it is assigned (documented)."""
        quantity: int = self.form["quantity"]
        size: int = self.form.get("rangeSize", 1)
        begun = self.created.isoformat().replace("+00:00", "Z")
        ranges, assigned = [], self.assigned(status)
        for offset in range(0, quantity, size):
            here = min(size, assigned - offset)
            identity = f"{self.id[:-12]}{offset:012x}"
            there = {
                "id": identity,
                "start": f"+{self.first + offset}",
                "size": here,
                "validFrom": begun,
                "validTo": None,
            }
            missing = {
                "id": None,
                "start": None,
                "size": min(size, quantity - offset),
                "validFrom": None,
                "validTo": None,
            }
            ranges.append(there if here > 0 else missing)
        return {
            "guid": self.id,
            "status": status,
            "statusReason": None if status == "REQUESTED" else f"The sandbox made it {status}.",
            "createdOn": begun,
            **{name: self.form.get(name) for name in _FIELDS},
            "numberRanges": ranges,
        }
