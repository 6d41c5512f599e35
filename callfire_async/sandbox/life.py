"""What may happen to one order in the sandbox, and the words for it."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

Result = Literal["finished", "partial", "errored", "rejected", "void", "parked"]
Postback = Literal["delivered", "lost", "twice", "late", "early", "out_of_order", "malformed", "forged"]
Reply = Literal[
    "prompt",
    "slow",
    "refused",
    "lost_after_accepting",
    "lost_before_accepting",
    "error_after_accepting",
    "error_before_accepting",
    "html",
    "html_after_accepting",
    "empty_after_accepting",
]
Poll = Literal[
    "ok",
    "error500",
    "html",
    "html_with_200",
    "drop",
    "drop_after",
    "rate_limited",
    "not_found",
    "unauthorized",
    "malformed",
    "silent",
]

#: Statuses after which nothing follows but billing words. Only FINISHED and ERRORED are documented as final; the rest is inferred.
FINAL: Final = frozenset(
    {"FINISHED", "ERRORED", "VOID", "REJECTED", "PAYMENT_ERROR", "ACH_ERROR", "ADJUSTED", "PARTIALLY_ADJUSTED"}
)
#: Final statuses that leave the buyer with goods. Inferred for the two billing words.
GOOD: Final = frozenset({"FINISHED", "ADJUSTED", "PARTIALLY_ADJUSTED"})
#: Statuses that wait for money or for a person. Inferred from their names; CallFire explains none of them.
PARKED: Final = frozenset({"WAIT_FOR_PAYMENT", "APPROVE_TIER_ONE", "APPROVE_TIER_TWO"})

_LAST_WORD: Final[dict[str, str]] = {
    "finished": "FINISHED",
    "partial": "FINISHED",  # CallFire has no word for it: only Ordered and Fulfilled tell
    "errored": "ERRORED",
    "rejected": "REJECTED",
    "void": "VOID",
}


def check_seconds(name: str, value: object) -> None:
    """Raise ValueError unless `value` is a finite number of seconds, zero or more."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is a number of seconds, zero or more, not {value!r}.")


def check_word(name: str, value: object, vocabulary: Any) -> None:
    """Raise ValueError unless `value` is one of the words of a Literal type."""
    words = get_args(vocabulary)
    if value not in words:
        raise ValueError(f"{name} is one of {', '.join(words)}, not {value!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What happens to one order. `Life()` is a good life: accepted, finished, told of once.

    Every fault here is the sandbox's own invention, after what happens to HTTP services in general; CallFire documents none of them.
    """

    #: Seconds from acceptance to the final result; for a parked order first to parking, and again from payment to the end.
    #: None takes the Sandbox's own `processing`.
    processing: float | None = None
    #: How it ends. `partial` is FINISHED with one unit of its largest block missing (an order for one thing gets none);
    #: `parked` stands at WAIT_FOR_PAYMENT until it is paid.
    result: Result = "finished"
    #: Seconds a parked order waits for its money. None: until `Sandbox.pay`.
    paid_after: float | None = None
    #: A script instead of `result` and `processing`: (seconds since acceptance, status word), in order of time. Any word will do.
    #: Before the first it is PROCESSING. `result="partial"` still withholds one unit of what a good end delivers.
    statuses: Sequence[tuple[float, str]] = ()
    #: How the news is delivered, each time the order parks or becomes final. None takes the Sandbox's own `postbacks`.
    #: `early` posts the status of that moment before the create reply is written, and the final word again when it comes;
    #: `out_of_order` posts the word and then a stale PROCESSING; `malformed` cuts the body in half;
    #: `forged` posts a false final word at acceptance and the truth in its time.
    postback: Postback | None = None
    #: Seconds that a `late` postback comes after its news.
    late_by: float = 2.0
    #: What answers the create. `refused` is a 400 as for numbers that are gone, and nothing bought; `html` is status 502 and nothing bought; `html_after_accepting` is a page with status 200,
    #: `empty_after_accepting` status 201 without a body; a lost reply is a connection closed without a byte.
    reply: Reply = "prompt"
    #: Seconds that a `slow` reply takes. The order is in the ledger before.
    reply_after: float = 1.0
    #: One fault for each GET of the order's status, in turn; then all is well. Calls that come too soon use up none.
    #: `drop` closes the connection without a byte before the call is carried out, `drop_after` when it has been.
    polls: Sequence[Poll] = ()
    #: Whole seconds, the Retry-After header of a `rate_limited` poll.
    retry_after: int = 2
    #: Seconds that a `silent` poll stays without an answer. Give more than the client's timeout.
    silent_for: float = 5.0
    #: Put an r:Note before the payload. Seen in a captured answer of API 1.0.
    notes: bool = False
    #: Add Summary, SalesTax and Total. Later documents have them, the vendor's schemas do not.
    newer_fields: bool = False

    def __post_init__(self) -> None:
        check_word("result", self.result, Result)
        check_word("reply", self.reply, Reply)
        for name in ("late_by", "reply_after", "silent_for"):
            check_seconds(name, getattr(self, name))
        for name in ("processing", "paid_after"):
            if getattr(self, name) is not None:
                check_seconds(name, getattr(self, name))
        if self.paid_after is not None and self.result != "parked":
            raise ValueError("paid_after belongs to result='parked'; no other order waits for money.")
        if self.postback is not None:
            check_word("postback", self.postback, Postback)
        if isinstance(self.retry_after, bool) or not isinstance(self.retry_after, int) or self.retry_after < 0:
            raise ValueError(f"retry_after is a whole number of seconds, zero or more, not {self.retry_after!r}.")
        if isinstance(self.polls, str):
            raise ValueError(f"polls is a sequence of words, not the one string {self.polls!r}.")  # noqa: TRY004  # one kind of error for every bad argument
        for word in self.polls:
            check_word("Each of polls", word, Poll)
        _check_script(self.statuses)
        object.__setattr__(self, "polls", tuple(self.polls))
        object.__setattr__(self, "statuses", tuple((seconds, word) for seconds, word in self.statuses))

    def timeline(self, processing: float) -> list[tuple[float, str]]:
        """Return (seconds since acceptance, status), in order of time, the first at zero."""
        start = (0.0, "PROCESSING")
        if self.statuses:
            return [start, *self.statuses]
        if self.result != "parked":
            return [start, (processing, _LAST_WORD[self.result])]
        parked = [start, (processing, "WAIT_FOR_PAYMENT")]
        if self.paid_after is None:
            return parked
        paid = processing + self.paid_after
        return [*parked, (paid, "PROCESSING"), (paid + processing, "FINISHED")]


def _check_script(statuses: Iterable[tuple[float, str]]) -> None:
    earlier = 0.0
    for seconds, word in statuses:
        check_seconds("The time of each status", seconds)
        if seconds < earlier:
            raise ValueError(f"statuses stand in order of time, and {seconds!r} comes after {earlier!r}.")
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", word):
            raise ValueError(f"A status is a word of capitals such as WAIT_FOR_PAYMENT, not {word!r}.")
        earlier = seconds
