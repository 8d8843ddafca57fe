"""Find places by two geocoders, in a session, and what they refuse."""

import sys
from urllib.parse import urlsplit

import geopy.adapters
from geopy.exc import GeopyError
from geopy.geocoders import Nominatim, Photon

here = urlsplit(sys.argv[1]).netloc
options = {
    "domain": here,
    "adapter_factory": geopy.adapters.URLLibAdapter,
    "timeout": 30,
    "user_agent": "tester/1",
}
places = Nominatim(**options)
oslo = places.geocode("Oslo, Norge")
print(oslo, oslo.point, oslo.raw)
print(places.geocode("Oslo", exactly_one=False), places.geocode("nowhere"))
print(places.reverse((59.91, 10.75)))
print(Photon(**options).geocode("Oslo"))
for wanted in ("wait", "busy", "broken", "html"):
    try:
        places.geocode(wanted)
    except GeopyError as error:
        print(type(error).__name__, error, getattr(error, "retry_after", None))
try:
    Nominatim(**options | {"user_agent": "other/1"}).geocode("Oslo")
except GeopyError as error:
    print(type(error).__name__, error)
try:
    Nominatim(**options | {"domain": "localhost:9"}).geocode("Oslo")
except GeopyError as error:
    print(type(error).__name__, error)
