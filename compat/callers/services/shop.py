"""Shopify's REST API for products."""

import json

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text

BASE = "/admin/api/2024-01"
LAMP = {"id": 1, "title": "Lamp", "vendor": "Lux"}


def products(request: Request) -> Response:
    if request.method == "POST":
        product = json.loads(request.body)["product"]
        if not product.get("title"):
            return as_json({"errors": {"title": ["can't be blank"]}}, 422)
        created = {"product": product | {"id": 7}}
        return as_json(created, 201, [("location", f"https://{request.authority}{BASE}/products/7")])
    if "page_info" in request.query:
        return as_json({"products": [{"id": 2, "title": "Shade"}]})
    following = f'<https://{request.authority}{BASE}/products.json?limit=1&page_info=p2>; rel="next"'
    return as_json({"products": [LAMP]}, headers=[("link", following), ("x-shopify-api-version", "2024-01")])


def product(request: Request) -> Response:
    if request.method == "DELETE":
        return Response(200)
    if request.method == "PUT":
        return as_json(json.loads(request.body))
    if request.header("x-shopify-access-token") != "shpat-1":
        return as_json({"errors": "[API] Invalid API key"}, 401)
    return as_json({"product": LAMP})


ROUTES = {
    f"{BASE}/products.json": products,
    f"{BASE}/products/1.json": product,
    f"{BASE}/products/7.json": product,
    f"{BASE}/products/count.json": lambda _: as_json({"count": 2}),
    f"{BASE}/products/5.json": lambda _: as_text("the server is on fire", 500),
    f"{BASE}/products/6.json": lambda _: as_json({}, 429, [("retry-after", "2.0")]),
}
