"""CallFire 1.1's number service but for its orders: what can be found, and what the account has.

Verbs, paths and parameters are documented. Invented, because no document says it: the greatest Count, that text in Region fields fits in
capitals and small letters alike, that a point finds the regions within 80 km, that TollFree finds toll-free numbers alone, that what is released
is listed until its lease ends, that a release with Keyword releases the keywords alone, and all messages but those of the samples.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from . import documents
from .account import Account, Configuration, Holding
from .forms import (
    CONFIGURE,
    INBOUND,
    PAGE,
    QUERY_NUMBERS,
    QUERY_REGIONS,
    RELEASE,
    SEARCH_KEYWORDS,
    SEARCH_NUMBERS,
    RefusedError,
    check,
    read_form,
    read_page,
    read_query,
    read_where,
    require,
)
from .inventory import SHORT_CODE, Inventory, canonical
from .regions import REGIONS, Region
from .subscriptions import xml

#: Elements written before other calls get their turn.
_BREATH: Final = 50


class Numbers:
    """The handlers of the service."""

    def __init__(self, inventory: Inventory, account: Account) -> None:
        self._inventory = inventory
        self._account = account
        #: What answers ConfigureNumber: 200 without a body, or 204. The documents leave it open.
        self.configure_status = 200

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Put the eight operations on a router."""
        router.add_get("/number", self._query, allow_head=False)
        router.add_get("/number/regions", self._regions, allow_head=False)
        router.add_get("/number/search", self._search, allow_head=False)
        router.add_get("/number/keyword", self._keywords, allow_head=False)
        router.add_get("/number/keyword/search", self._search_keywords, allow_head=False)
        router.add_put("/number/release", self._release)
        router.add_get(r"/number/{number:\d+}", self._get, allow_head=False)
        router.add_put(r"/number/{number:\d+}", self._configure)

    async def _regions(self, request: web.Request) -> web.Response:
        query = read_query(request, QUERY_REGIONS)
        where = read_where(query)
        chosen = REGIONS if where.chosen is None else where.chosen
        found = [region for region in chosen if region.prefix.startswith(where.prefix)]
        return await _listed(_draw_region, found[read_page(query)], len(found))

    async def _query(self, request: web.Request) -> web.Response:
        query = read_query(request, QUERY_NUMBERS)
        where, label = read_where(query), query.get("LabelName")
        found = [
            (number, holding)
            for number, holding in self._account.numbers.items()
            if where.fits(number) and label in {None, holding.label}
        ]
        return await _listed(_draw_number, found[read_page(query)], len(found))

    async def _get(self, request: web.Request) -> web.Response:
        read_query(request, {})
        number, holding = self._find(request)
        return xml(documents.resource(documents.number(number, holding)))

    async def _search(self, request: web.Request) -> web.Response:
        query = read_query(request, SEARCH_NUMBERS, "Count")
        toll_free = query.get("TollFree") in {"true", "1"}
        found = self._inventory.search(read_where(query), toll_free=toll_free, count=int(query["Count"]))
        return await _listed(documents.number, found, len(found))

    async def _keywords(self, request: web.Request) -> web.Response:
        query = read_query(request, PAGE)
        found = list(self._account.keywords.items())
        return await _listed(_draw_keyword, found[read_page(query)], len(found))

    async def _search_keywords(self, request: web.Request) -> web.Response:
        query = read_query(request, SEARCH_KEYWORDS, "Keywords")
        asked = dict.fromkeys(query["Keywords"].split())
        found = [keyword for keyword in asked if self._inventory.is_for_sale(keyword)]
        return await _listed(documents.keyword, found, len(found))

    async def _configure(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        check(form, CONFIGURE)
        number, holding = self._find(request)
        self._account.change(number, replace(holding, configuration=_configured(holding.configuration, form)))
        return web.Response(status=self.configure_status)

    async def _release(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        check(form, RELEASE)
        require(form, "Number")
        number = form["Number"]
        # "If one or more keywords are provided, the number to which they're linked needs to be provided."
        keywords = [canonical(keyword) for keyword in re.split("[ ,]", form["Keyword"])] if "Keyword" in form else []
        if number not in self._account.numbers and not (keywords and number == SHORT_CODE):
            raise _missing("number", number)
        for keyword in keywords:
            if keyword not in self._account.keywords:
                raise _missing("keyword", keyword)
        self._account.release(keywords or [number])
        return web.Response(status=204)

    def _find(self, request: web.Request) -> tuple[str, Holding]:
        number = request.match_info["number"]
        holding = self._account.numbers.get(number)
        if holding is None:
            raise _missing("number", number)
        return number, holding


def _missing(kind: str, name: str) -> RefusedError:
    return RefusedError(404, f"{kind} {name} does not exist, or is inactive")  # CallFire's own sentence, of a number


def _configured(before: Configuration, form: Mapping[str, str]) -> Configuration:
    """Change what the form names. Another inbound type starts afresh."""
    inbound = form.get("InboundCallConfigurationType", before.inbound)
    for kind, parameters in INBOUND.items():
        for name in parameters:
            if name in form and kind != inbound:
                raise RefusedError(400, f"{name} belongs to InboundCallConfigurationType {kind}.")
    given = {**(before.details if inbound == before.inbound else {}), **form}
    return Configuration(
        call=form.get("CallFeature", before.call),
        text=form.get("TextFeature", before.text),
        inbound=inbound,
        # In the sequence of the schema, whatever the form's.
        details=MappingProxyType({name: given[name] for name in INBOUND.get(inbound or "", ()) if name in given}),
    )


async def _listed(draw: Callable[[Any], str], items: Sequence[Any], total: int) -> web.Response:
    """Answer with a page, drawn in bits: a thousand elements at once would hold up every other call."""
    drawn: list[str] = []
    for first in range(0, len(items), _BREATH):
        drawn += [draw(item) for item in items[first : first + _BREATH]]
        await asyncio.sleep(0)
    return xml(documents.resource_list(drawn, total))


def _draw_region(region: Region) -> str:
    return f"    {documents.region(region, region.prefix)}"


def _draw_number(owned: tuple[str, Holding]) -> str:
    return documents.number(*owned)


def _draw_keyword(owned: tuple[str, Holding]) -> str:
    return documents.keyword(*owned)
