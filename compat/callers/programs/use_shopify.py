"""Keep a shop's products: find, page, create, change, delete, and what the shop refuses."""

import sys

import shopify

shopify.ShopifyResource.set_site(f"{sys.argv[1]}/admin/api/2024-01")
shopify.ShopifyResource.set_headers({"X-Shopify-Access-Token": "shpat-1", "User-Agent": "shop"})
page = shopify.Product.find(limit=1)
print([product.title for product in page], page.has_next_page())
print([product.title for product in page.next_page()])
print(shopify.Product.count())
lamp = shopify.Product.find(1)
lamp.title = "Lamp, large"
print(lamp.save(), lamp.attributes)
new = shopify.Product.create({"title": "Bulb", "vendor": "Lux"})
print(new.id, new.attributes)
new.destroy()
bad = shopify.Product()
print(bad.save(), bad.errors.full_messages())
for missing in (404, 5, 6):
    try:
        shopify.Product.find(missing)
    except Exception as error:
        print(type(error).__name__, getattr(error, "code", None))
        response = getattr(error, "response", None)
        print(response and {name: response.headers.get(name) for name in ("Content-Type", "Retry-After")})
print(shopify.ShopifyResource.connection.response.code)
