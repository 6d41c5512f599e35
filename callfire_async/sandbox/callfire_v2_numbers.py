"""CallFire v2's numbers and keywords: what can be found, and what the account has leased.

Verbs, paths, parameters and documents are the definition's. Numbers for sale come in a bare array, as it prints them; its schema has an object.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from . import callfire_v2_documents as documents
from .account import Account, Holding
from .callfire_v2_forms import (
    CONFIGURATION,
    IVR,
    KEYWORD_LEASE,
    LEASES,
    LOCAL,
    NUMBER_LEASE,
    PAGE,
    REGIONS,
    TOLL_FREE,
    TRACKING,
    check_members,
    read_object,
    read_page,
    read_where,
)
from .forms import RefusedError, read_query
from .inventory import Inventory, canonical
from .regions import REGIONS as PLACES

#: The kinds of configuration: their object in a NumberConfig, and its members.
_KINDS: Final = {"TRACKING": ("callTrackingConfig", TRACKING), "IVR": ("ivrInboundConfig", IVR)}


class NumbersV2:
    """The handlers."""

    def __init__(self, inventory: Inventory, account: Account) -> None:
        self._inventory = inventory
        self._account = account

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Put the operations on a router."""
        router.add_get("/numbers/local", self._local, allow_head=False)
        router.add_get("/numbers/tollfree", self._toll_free, allow_head=False)
        router.add_get("/numbers/regions", self._regions, allow_head=False)
        router.add_get("/numbers/leases", self._leases, allow_head=False)
        router.add_get("/numbers/leases/configs", self._configurations, allow_head=False)
        router.add_get("/numbers/leases/configs/{number}", self._configuration, allow_head=False)
        router.add_put("/numbers/leases/configs/{number}", self._configure)
        router.add_get("/numbers/leases/{number}", self._lease, allow_head=False)
        router.add_put("/numbers/leases/{number}", self._update_lease)
        router.add_get("/keywords", self._keywords, allow_head=False)
        router.add_get("/keywords/leases", self._keyword_leases, allow_head=False)
        router.add_get("/keywords/leases/{keyword}", self._keyword_lease, allow_head=False)
        router.add_put("/keywords/leases/{keyword}", self._update_keyword_lease)
        router.add_get("/keywords/{keyword}/available", self._available, allow_head=False)

    # ------------------------------------------------------------------ for sale

    async def _local(self, request: web.Request) -> web.Response:
        query = read_query(request, LOCAL)
        if not query.keys() - {"limit"}:
            raise RefusedError(400, "At least one additional parameter is required.")
        count = int(query.get("limit", 100))
        found = self._inventory.search(read_where(query), toll_free=False, count=count)
        return documents.reply([documents.number(number) for number in found])

    async def _toll_free(self, request: web.Request) -> web.Response:
        count = int(read_query(request, TOLL_FREE).get("limit", 100))
        found = self._inventory.search(read_where({}), toll_free=True, count=count)
        return documents.reply([documents.number(number) for number in found])

    async def _regions(self, request: web.Request) -> web.Response:
        query = read_query(request, REGIONS)
        where = read_where(query)
        chosen = PLACES if where.chosen is None else where.chosen
        found = [documents.region(place, place.prefix) for place in chosen if place.prefix.startswith(where.prefix)]
        return documents.reply(documents.listed(found, read_page(query)))

    async def _keywords(self, request: web.Request) -> web.Response:
        if request.query.keys() - {"keywords"}:
            raise RefusedError(400, "The one parameter is keywords, as often as need be.")
        asked = dict.fromkeys(request.query.getall("keywords", []))  # none at all finds nothing
        found = [documents.keyword(keyword) for keyword in asked if self._inventory.is_for_sale(keyword)]
        return documents.reply({"items": found})

    async def _available(self, request: web.Request) -> web.Response:
        read_query(request, {})
        return documents.reply(self._inventory.is_for_sale(request.match_info["keyword"]))

    # ------------------------------------------------------------------ leased

    async def _leases(self, request: web.Request) -> web.Response:
        query = read_query(request, LEASES)
        where, label = read_where(query), query.get("labelName")
        found = [
            documents.number(number, holding)
            for number, holding in self._account.numbers.items()
            if where.fits(number) and label in {None, holding.label}
        ]
        return documents.reply(documents.listed(found, read_page(query)))

    async def _lease(self, request: web.Request) -> web.Response:
        read_query(request, {})
        return documents.reply(documents.number(*self._number(request)))

    async def _update_lease(self, request: web.Request) -> web.Response:
        body = await read_object(request, NUMBER_LEASE)
        number, holding = self._number(request)
        _check_renewal(body)
        configuration = replace(
            holding.configuration,
            call=body.get("callFeatureStatus", holding.configuration.call),
            text=body.get("textFeatureStatus", holding.configuration.text),
        )
        released = holding.released or "autoRenew" in body
        self._account.change(number, replace(holding, configuration=configuration, released=released))
        return web.Response()

    async def _configurations(self, request: web.Request) -> web.Response:
        query = read_query(request, LEASES)
        where, label = read_where(query), query.get("labelName")
        found = [
            _configuration(number, holding)
            for number, holding in self._account.numbers.items()
            if where.fits(number) and label in {None, holding.label}
        ]
        return documents.reply(documents.listed(found, read_page(query)))

    async def _configuration(self, request: web.Request) -> web.Response:
        read_query(request, {})
        return documents.reply(_configuration(*self._number(request)))

    async def _configure(self, request: web.Request) -> web.Response:
        body = await read_object(request, CONFIGURATION)
        number, holding = self._number(request)
        kind = body.get("configType")
        if kind is None or body.keys() - {"configType", _KINDS[kind][0]}:
            raise RefusedError(400, "A configuration has a configType and the one object that belongs to it.")
        name, members = _KINDS[kind]
        given = body.get(name, {})
        check_members(given, {member: rule for member, (rule, _) in members.items()})
        before = holding.configuration
        # Another type starts afresh.
        details = {
            **(before.details if before.inbound == kind else {}),
            **{members[m][1]: _kept(v) for m, v in given.items()},
        }
        after = replace(before, inbound=kind, details=MappingProxyType(details))
        self._account.change(number, replace(holding, configuration=after))
        return web.Response()

    async def _keyword_leases(self, request: web.Request) -> web.Response:
        query = read_query(request, PAGE)
        found = [documents.keyword(keyword, holding) for keyword, holding in self._account.keywords.items()]
        return documents.reply(documents.listed(found, read_page(query)))

    async def _keyword_lease(self, request: web.Request) -> web.Response:
        read_query(request, {})
        return documents.reply(documents.keyword(*self._keyword(request)))

    async def _update_keyword_lease(self, request: web.Request) -> web.Response:
        body = await read_object(request, KEYWORD_LEASE)
        keyword, _ = self._keyword(request)
        _check_renewal(body)
        if "autoRenew" in body:
            self._account.release([keyword])
        return web.Response()

    def _number(self, request: web.Request) -> tuple[str, Holding]:
        return _find(self._account.numbers, request.match_info["number"], "number")

    def _keyword(self, request: web.Request) -> tuple[str, Holding]:
        return _find(self._account.keywords, canonical(request.match_info["keyword"]), "keyword")


def _find(owned: Mapping[str, Holding], name: str, kind: str) -> tuple[str, Holding]:
    if name not in owned:
        raise RefusedError(404, f"{kind} {name} does not exist, or is inactive")  # 1.1's own sentence, of a number
    return name, owned[name]


def _check_renewal(body: Mapping[str, Any]) -> None:
    if body.get("autoRenew"):
        raise RefusedError(400, "autoRenew can only be set to false at this time.")


def _configuration(number: str, holding: Holding) -> dict[str, Any]:
    _, members = _KINDS[holding.configuration.inbound or "TRACKING"]
    return documents.configuration(
        number, holding.configuration, {member: kept for member, (_, kept) in members.items()}
    )


def _kept(value: Any) -> str:
    """A member as the account keeps it: in the spelling of API 1.1."""
    if isinstance(value, list):
        return " ".join(value)
    return value if isinstance(value, str) else json.dumps(value)
