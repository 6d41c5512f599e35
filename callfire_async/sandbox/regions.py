"""The regions in which the sandbox has numbers, and how the Region fields of a call choose among them.

The places, area codes, LATAs, zipcodes and time zones are real ones. That each sells in exchange 555 is invented: 555-0100 to 555-0199 are
set aside for fiction, so that no test rings a stranger.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

#: Kilometres around Latitude and Longitude in which a region is near. Invented: CallFire does not say how it reads the two.
NEAR_KM: Final = 80.0

_COUNTRY: Final = "US"

# Area code | city | state | zipcode | LATA | rate center | latitude | longitude | time zone
_TABLE: Final = """\
206|SEATTLE|WA|98154|674|SEATTLE|47.61|-122.331|America/Los_Angeles
253|TACOMA|WA|98402|674|TACOMA|47.255|-122.442|America/Los_Angeles
509|SPOKANE|WA|99201|676|SPOKANE|47.658|-117.426|America/Los_Angeles
503|PORTLAND|OR|97204|672|PORTLAND|45.518|-122.676|America/Los_Angeles
541|EUGENE|OR|97401|670|EUGENE|44.052|-123.087|America/Los_Angeles
415|SAN FRANCISCO|CA|94103|722|SNFC CNTRL|37.773|-122.411|America/Los_Angeles
510|OAKLAND|CA|94612|722|OKLD MN-PD|37.808|-122.268|America/Los_Angeles
408|SAN JOSE|CA|95113|722|SNJS NORTH|37.333|-121.891|America/Los_Angeles
916|SACRAMENTO|CA|95814|726|SCRM MAIN|38.582|-121.494|America/Los_Angeles
213|LOS ANGELES|CA|90012|730|LSAN DA 01|34.061|-118.239|America/Los_Angeles
323|LOS ANGELES|CA|90028|730|LSAN DA 02|34.1|-118.327|America/Los_Angeles
818|BURBANK|CA|91502|730|BURBANK|34.175|-118.31|America/Los_Angeles
619|SAN DIEGO|CA|92101|732|SAN DIEGO|32.72|-117.164|America/Los_Angeles
702|LAS VEGAS|NV|89101|721|LAS VEGAS|36.172|-115.123|America/Los_Angeles
775|RENO|NV|89501|720|RENO|39.526|-119.813|America/Los_Angeles
602|PHOENIX|AZ|85004|666|PHOENIX|33.451|-112.07|America/Phoenix
520|TUCSON|AZ|85701|668|TUCSON|32.217|-110.971|America/Phoenix
801|SALT LAKE CITY|UT|84111|660|SALT LAKE|40.755|-111.884|America/Denver
208|BOISE|ID|83702|652|BOISE|43.633|-116.205|America/Boise
303|DENVER|CO|80202|656|DENVER|39.75|-104.997|America/Denver
505|ALBUQUERQUE|NM|87102|664|ALBUQUERQU|35.082|-106.648|America/Denver
214|DALLAS|TX|75201|552|DALLAS|32.788|-96.8|America/Chicago
713|HOUSTON|TX|77002|560|HOUSTON|29.757|-95.366|America/Chicago
512|AUSTIN|TX|78701|558|AUSTIN|30.271|-97.742|America/Chicago
210|SAN ANTONIO|TX|78205|566|SANANTONIO|29.424|-98.486|America/Chicago
405|OKLAHOMA CITY|OK|73102|536|OKLA CITY|35.471|-97.519|America/Chicago
316|WICHITA|KS|67202|532|WICHITA|37.69|-97.336|America/Chicago
816|KANSAS CITY|MO|64106|524|KANSASCITY|39.104|-94.571|America/Chicago
314|SAINT LOUIS|MO|63101|520|SAINTLOUIS|38.632|-90.193|America/Chicago
612|MINNEAPOLIS|MN|55401|628|TWINCITIES|44.984|-93.27|America/Chicago
414|MILWAUKEE|WI|53202|356|MILWAUKEE|43.05|-87.897|America/Chicago
920|GREEN BAY|WI|54301|350|GREEN BAY|44.482|-88.016|America/Chicago
312|CHICAGO|IL|60602|358|CHICAGO|41.883|-87.629|America/Chicago
317|INDIANAPOLIS|IN|46204|336|INDIANAPLS|39.772|-86.157|America/Indiana/Indianapolis
313|DETROIT|MI|48226|340|DETROIT|42.332|-83.048|America/Detroit
216|CLEVELAND|OH|44113|320|CLEVELAND|41.483|-81.697|America/New_York
502|LOUISVILLE|KY|40202|462|LOUISVILLE|38.253|-85.752|America/Kentucky/Louisville
615|NASHVILLE|TN|37219|470|NASHVILLE|36.167|-86.783|America/Chicago
504|NEW ORLEANS|LA|70112|490|NEWORLEANS|29.957|-90.077|America/Chicago
404|ATLANTA|GA|30303|438|ATLANTA|33.753|-84.39|America/New_York
305|MIAMI|FL|33130|460|MIAMI|25.768|-80.205|America/New_York
704|CHARLOTTE|NC|28202|422|CHARLOTTE|35.227|-80.844|America/New_York
202|WASHINGTON|DC|20001|236|WASHINGTON|38.911|-77.018|America/New_York
215|PHILADELPHIA|PA|19107|228|PHLADLPHIA|39.952|-75.158|America/New_York
212|NEW YORK|NY|10018|132|NWYRCYZN01|40.755|-73.993|America/New_York
617|BOSTON|MA|02108|128|BOSTON|42.357|-71.065|America/New_York
207|PORTLAND|ME|04101|120|PORTLAND|43.66|-70.257|America/New_York
907|ANCHORAGE|AK|99501|832|ANCHORAGE|61.217|-149.876|America/Anchorage
808|HONOLULU|HI|96813|834|HONOLULU|21.315|-157.857|Pacific/Honolulu
"""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A place with an area code of its own: data:Region."""

    #: The seven digits its stock begins with.
    prefix: str
    #: The text fields by their names in the API; the prefix and the two coordinates are not among them.
    fields: Mapping[str, str]
    latitude: float
    longitude: float

    @classmethod
    def read(cls, row: str) -> Self:
        """Read a row of the table."""
        code, city, state, zipcode, lata, rate_center, latitude, longitude, time_zone = row.split("|")
        return cls(
            f"1{code}555",
            {
                "City": city,
                "State": state,
                "Zipcode": zipcode,
                "Country": _COUNTRY,
                "Lata": lata,
                "RateCenter": rate_center,
                "TimeZone": time_zone,
            },
            float(latitude),
            float(longitude),
        )

    def kilometres_from(self, latitude: float, longitude: float) -> float:
        """Distance along the globe."""
        here, there = math.radians(self.latitude), math.radians(latitude)
        apart = math.radians(self.longitude - longitude)
        chord = math.sin((here - there) / 2) ** 2 + math.cos(here) * math.cos(there) * math.sin(apart / 2) ** 2
        return 2 * 6371.0 * math.asin(math.sqrt(min(1.0, chord)))


REGIONS: Final = tuple(Region.read(row) for row in _TABLE.splitlines())

_BY_AREA: Final = {region.prefix[:4]: region for region in REGIONS}


def region_of(number: str) -> Region | None:
    """Return the region whose area code a number has; None where the sandbox knows none, toll-free numbers among them."""
    return _BY_AREA.get(number[:4])


@dataclass(frozen=True, slots=True)
class Where:
    """The Region fields of a call, every one of which must fit. Text fits in capitals and small letters alike, which is inferred."""

    #: The digits a number must begin with; empty for any.
    prefix: str = ""
    #: The regions that fit all other fields, the nearest first if there is a point; None if there are no such fields.
    chosen: tuple[Region, ...] | None = None

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Self:
        """Understand the Region fields among checked parameters."""
        texts = {name: form[name].casefold() for name in REGIONS[0].fields if name in form}
        point = (float(form["Latitude"]), float(form["Longitude"])) if "Latitude" in form else None
        if not texts and point is None:
            return cls(form.get("Prefix", ""))
        chosen = [
            region for region in REGIONS if all(region.fields[name].casefold() == text for name, text in texts.items())
        ]
        if point is not None:
            chosen = [region for region in chosen if region.kilometres_from(*point) <= NEAR_KM]
            chosen.sort(key=lambda region: region.kilometres_from(*point))
        return cls(form.get("Prefix", ""), tuple(chosen))

    def fits(self, number: str) -> bool:
        """Whether a number, or the first seven digits of one, is there. One without a region fits a Prefix alone."""
        return number.startswith(self.prefix) and (self.chosen is None or region_of(number) in self.chosen)
