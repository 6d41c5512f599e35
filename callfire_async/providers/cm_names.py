"""CM.com Voice: every name its public pages do not show, in one table that a user with a real account can correct.

*Documented* is what those pages say, *read* what stands in a page's address, and everything else is inferred from CM.com's conventions elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from callfire_async.errors import ConfigurationError
from callfire_async.orders import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What statuses mean, in capitals; all of it inferred. CM.com has a list of them and shows it on no page.
OUTCOMES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "REQUESTED": Outcome.PENDING,
        "PENDING": Outcome.PENDING,
        "APPROVED": Outcome.PENDING,
        "IN_PROGRESS": Outcome.PENDING,
        "COMPLETED": Outcome.FINISHED,
        "REJECTED": Outcome.FAILED,
        "CANCELLED": Outcome.FAILED,
        "CANCELED": Outcome.FAILED,
        "FAILED": Outcome.FAILED,
    }
)

_REQUESTS: Final = "/voice-phonenumberrequestapi/v1/{account}/numberrequests"


@dataclass(frozen=True, slots=True, kw_only=True)
class CMNames:
    """How CM.com Voice spells things: paths, JSON names, statuses and paging. A correction needs no release: `CMVoice(names=CMNames(status="state"))`.

    Only the path of the list and `company_profile` were read in addresses of CM.com's pages, and `page_total` is documented; the rest is
    inferred. `outcomes` adds to the statuses known here, or corrects them; they are compared without regard to case. Raises ConfigurationError
    for what cannot be such a table.
    """

    #: Paths after the base URL. `{account}` and `{id}` stand for the account and the number request.
    requests_path: str = _REQUESTS
    request_path: str = _REQUESTS + "/{id}"
    cancel_path: str = _REQUESTS + "/{id}/cancel"

    #: In the body of an order.
    company_profile: str = "companyProfileGuid"
    range_size: str = "rangeSize"
    number_type: str = "phoneNumberType"
    area_code: str = "areaCode"
    city: str = "city"
    region: str = "region"
    comment: str = "comment"
    callback_url: str = "callbackUrl"
    #: In the body of an order and in a number request.
    quantity: str = "quantity"

    #: In a number request: the first of these that is there names it.
    ids: tuple[str, ...] = ("guid", "id", "uuid", "numberRequestGuid")
    status: str = "status"
    reason: str = "statusReason"
    created: str = "createdOn"
    ranges: str = "numberRanges"
    #: In each of its ranges.
    range_ids: tuple[str, ...] = ("id", "guid")
    start: str = "start"
    size: str = "size"
    valid_from: str = "validFrom"
    valid_to: str = "validTo"

    #: Query parameters of the list, and the header that tells how many there are in all (documented).
    skip: str = "skip"
    take: str = "take"
    page_total: str = "X-Cm-Pagination-Total"
    #: Where the list stands in its answer, if that is not the list itself.
    listed: tuple[str, ...] = ("items", "numberRequests", "data")

    outcomes: Mapping[str, Outcome] = field(default_factory=lambda: OUTCOMES)

    def __post_init__(self) -> None:
        """Check it, and add the statuses known here."""
        for name in ("requests_path", "request_path", "cancel_path"):
            try:
                getattr(self, name).format(account="a", id="b")
            except (LookupError, ValueError, AttributeError) as exc:
                raise ConfigurationError(
                    f"CMNames({name}={getattr(self, name)!r}) must be a path with {{account}} and {{id}} in it, and no other braces."
                ) from exc
        for name in ("ids", "range_ids", "listed"):
            if isinstance(getattr(self, name), str):
                raise ConfigurationError(f"CMNames({name}=…) must be several names, such as ('guid', 'id').")
        try:
            given = {status.upper(): Outcome(outcome) for status, outcome in self.outcomes.items()}
        except (ValueError, AttributeError) as exc:
            raise ConfigurationError(f"CMNames(outcomes=…) maps CM.com's statuses to Outcome members: {exc}.") from exc
        object.__setattr__(self, "outcomes", MappingProxyType({**OUTCOMES, **given}))
