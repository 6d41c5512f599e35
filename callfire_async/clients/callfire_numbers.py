"""CallFire API 1.1's number service: what is for sale, what the account has, and how it is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callfire_async.clients import OrderClient
from callfire_async.errors import NotFoundError
from callfire_async.orders import NumberOrder, Region
from callfire_async.providers import callfire_numbers as codec
from callfire_async.providers.callfire_envelope import MOST_ON_PAGE, done

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from callfire_async.inventory import Keyword, Number


class NumberService(OrderClient[NumberOrder]):
    """The part of CallFire that finds, lists, configures and releases. Nothing here costs money, and only `release` gives something up.

    Each method raises InvalidOrderError before anything is sent for arguments that are wrong, an APIError where CallFire refuses, and
    TransportError where no answer comes. Questions are asked again, `max_retries` times, when the network or the server fails.
    """

    def regions(self, region: Region | None = None, *, limit: int | None = None) -> AsyncIterator[Region]:
        """The places where CallFire has numbers, those within `region`; at most `limit`."""
        return self._pages(
            lambda first, most: codec.regions_request(region=region, first=first, most=most),
            codec.decode_regions,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda found: found,
        )

    def numbers(
        self, *, region: Region | None = None, label: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Number]:
        """The account's own numbers, those in `region` and with the label; at most `limit`. They come a thousand at a time."""
        return self._pages(
            lambda first, most: codec.numbers_request(region=region, label=label, first=first, most=most),
            codec.decode_numbers,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda found: found.number,
        )

    async def number(self, number: str) -> Number:
        """One of the account's own numbers. NotFoundError where it is not the account's."""
        request = codec.number_request(number)
        try:
            return await self._fetch(request, codec.decode_number)
        except NotFoundError as exc:
            raise _not_owned(number, exc) from exc

    async def search_numbers(
        self, *, count: int, region: Region | None = None, toll_free: bool = False
    ) -> list[Number]:
        """Up to `count` numbers for sale: local ones in `region`, or toll-free ones, which have none.

        What is for sale now may be sold a moment later. Order what you found: `order(numbers=[n.number for n in found])`.
        """
        request = codec.search_numbers_request(how_many=count, region=region, toll_free=toll_free)
        return (await self._fetch(request, codec.decode_numbers)).items[:count]

    async def configure_number(
        self, number: str, *, call: bool | None = None, text: bool | None = None, **inbound: Any
    ) -> None:
        """Set up one of the account's numbers: what is given is changed, the rest stays (inferred).

        `call` and `text` switch calls and texts on or off. `inbound` says what inbound calls meet, in the documents' own terms:
        `inbound_call_configuration_type` "TRACKING", with `transfer_number` (a list), `screen`, `record`, `intro_sound_id`,
        `whisper_sound_id`; or "IVR", with `dialplan_xml`. NotFoundError where the number is not the account's.
        """
        request = codec.configure_request(number, call=call, text=text, inbound=inbound)
        try:
            await self._fetch(request, done, repeatable=True)  # the same again changes nothing more
        except NotFoundError as exc:
            raise _not_owned(number, exc) from exc

    def keywords(self, *, limit: int | None = None) -> AsyncIterator[Keyword]:
        """The account's own keywords, at most `limit`."""
        return self._pages(
            lambda first, most: codec.keywords_request(first=first, most=most),
            codec.decode_keywords,
            most=MOST_ON_PAGE,
            limit=limit,
            name=lambda found: (found.short_code, found.keyword),
        )

    async def search_keywords(self, keywords: Iterable[str]) -> list[Keyword]:
        """Those of the keywords that are for sale."""
        return (await self._fetch(codec.search_keywords_request(keywords), codec.decode_keywords)).items

    async def release(self, number: str, *, keyword: str | None = None) -> None:
        """Renew a number no more, or a keyword of the short code `number`. It stays the account's until its lease ends.

        What was released cannot be bought again for a month after that (help, "10 Release").
        """
        request = codec.release_request(number, keyword_=keyword)
        try:
            await self._fetch(request, done, repeatable=True)
        except NotFoundError as exc:
            raise _not_owned(number if keyword is None else keyword, exc) from exc


def _not_owned(what: str, exc: NotFoundError) -> NotFoundError:
    return NotFoundError(f"{what} is not among the account's own. CallFire says: {exc.message}", status=exc.status)
