"""Keep accounts at Recurly, whose host and port are constants: here they are ours."""

import sys
from urllib.parse import urlsplit

import recurly
import recurly.base_client

url = urlsplit(sys.argv[1])
recurly.base_client.HOST, recurly.base_client.PORT = url.hostname, url.port
client = recurly.Client("key")
pager = client.list_accounts(params={"limit": 2, "sort": "created_at"})
print([account.code for account in pager.items()], pager.count())
made = client.create_account({"code": "new", "email": "å@example.com"})
response = made.get_response()
print(made.code, response.status, response.content_type, response.request_id)
print(response.rate_limit, response.rate_limit_remaining, response.rate_limit_reset, response.total_records)
print(
    client.get_account("a").state,
    client.update_account("a", {"email": "b"}).state,
    client.deactivate_account("a").state,
)
print(len(client.get_invoice_pdf("i1").data))
for call in (
    lambda: client.create_account({"email": "c"}),
    lambda: client.get_account("gone"),
    lambda: client.get_account("proxy"),
):
    try:
        call()
    except recurly.ApiError as error:
        print(type(error).__name__, error)
try:
    recurly.Client("wrong").get_account("a")
except recurly.ApiError as error:
    print(type(error).__name__, error)
