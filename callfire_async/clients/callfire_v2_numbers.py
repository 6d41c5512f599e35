"""CallFire API v2's numbers and keywords: what is for sale, what the account has leased, and how it is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callfire_async.clients import OrderClient
from callfire_async.orders import NumberOrder, Region
from callfire_async.providers import callfire_v2_numbers as codec
from callfire_async.providers.callfire_v2_envelope import MOST_ON_PAGE, done

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from callfire_async.inventory import Keyword, Number, NumberConfiguration


class NumberServiceV2(OrderClient[NumberOrder]):
    """The part of CallFireV2 that finds, lists, configures and releases. Nothing here costs money, and only the releases give something up.

    Each method raises InvalidOrderError before anything is sent for arguments that are wrong, an APIError where CallFire refuses, and
    TransportError where no answer comes. Questions are asked again, `max_retries` times, when the network or the server fails.
    """

    # ------------------------------------------------------------------ for sale

    async def search_numbers(
        self, *, count: int, region: Region | None = None, toll_free: bool = False
    ) -> list[Number]:
        """Up to `count` numbers for sale: local ones in `region`, or toll-free ones, which have none."""
        request = codec.search_numbers_request(how_many=count, region=region, toll_free=toll_free)
        return (await self._fetch(request, codec.decode_numbers)).items[:count]

    def regions(self, region: Region | None = None, *, limit: int | None = None) -> AsyncIterator[Region]:
        """The places where CallFire has numbers, at most `limit`."""
        return self._pages(
            lambda first, most: codec.regions_request(region, first=first, most=most),
            codec.decode_regions,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda region: region,
        )

    async def search_keywords(self, keywords: Iterable[str]) -> list[Keyword]:
        """Those of the keywords that are for sale."""
        return (await self._fetch(codec.search_keywords_request(keywords), codec.decode_keywords)).items

    async def keyword_available(self, keyword: str) -> bool:
        """Whether a keyword is for sale."""
        return await self._fetch(codec.keyword_available_request(keyword), codec.decode_available)

    # ------------------------------------------------------------------ leased

    def numbers(
        self, *, region: Region | None = None, label: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Number]:
        """The account's own numbers with their leases, at most `limit`."""
        return self._pages(
            lambda first, most: codec.leases_request(region, label=label, first=first, most=most),
            codec.decode_numbers,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda number: number.number,
        )

    async def number(self, number: str) -> Number:
        """One of the account's own numbers. NotFoundError where it is not."""
        return await self._fetch(codec.lease_request(number), codec.decode_number)

    async def update_number(self, number: str, *, call: bool | None = None, text: bool | None = None) -> None:
        """Switch a number's calls or texts on or off."""
        await self._fetch(codec.update_lease_request(number, call=call, text=text), done)

    async def number_configuration(self, number: str) -> NumberConfiguration:
        """How a number handles inbound calls."""
        return await self._fetch(codec.configuration_request(number), codec.decode_configuration)

    def number_configurations(
        self, *, region: Region | None = None, label: str | None = None, limit: int | None = None
    ) -> AsyncIterator[tuple[str, NumberConfiguration]]:
        """The account's own numbers, each with how it handles inbound calls; at most `limit`."""
        return self._pages(
            lambda first, most: codec.configurations_request(region, label=label, first=first, most=most),
            codec.decode_configurations,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda found: found[0],
        )

    async def configure_number(
        self,
        number: str,
        *,
        transfer_numbers: Iterable[str] = (),
        screen: bool | None = None,
        recorded: bool | None = None,
        intro_sound_id: int | None = None,
        whisper_sound_id: int | None = None,
        dialplan_xml: str | None = None,
    ) -> None:
        """Let a number track calls, which it passes on to `transfer_numbers`, or answer them by a dialplan."""
        request = codec.configure_request(
            number,
            transfer_numbers=transfer_numbers,
            screen=screen,
            recorded=recorded,
            intro_sound_id=intro_sound_id,
            whisper_sound_id=whisper_sound_id,
            dialplan_xml=dialplan_xml,
        )
        await self._fetch(request, done)

    async def release(self, number: str) -> None:
        """Renew a number no more: it is the account's until its lease ends."""
        await self._fetch(codec.update_lease_request(number, auto_renew=False), done)

    def keywords(self, *, limit: int | None = None) -> AsyncIterator[Keyword]:
        """The account's own keywords with their leases, at most `limit`."""
        return self._pages(
            lambda first, most: codec.keyword_leases_request(first=first, most=most),
            codec.decode_keywords,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda keyword: keyword.keyword,
        )

    async def keyword(self, keyword: str) -> Keyword:
        """One of the account's own keywords. NotFoundError where it is not."""
        return await self._fetch(codec.keyword_lease_request(keyword), codec.decode_keyword)

    async def release_keyword(self, keyword: str) -> None:
        """Renew a keyword no more: it is the account's until its lease ends."""
        await self._fetch(codec.release_keyword_request(keyword), done)
