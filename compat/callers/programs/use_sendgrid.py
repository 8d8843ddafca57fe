"""Send mail and manage keys by SendGrid's API."""

import sys
from email.message import Message

from python_http_client import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Mail

url = sys.argv[1]


def shown(headers: Message) -> dict[str, str]:
    """Return the fields, but for that of the connection."""
    return {name: value for name, value in dict(headers).items() if name != "connection"}


mail = Mail("from@example.com", "to@example.com", "Hello ✓", html_content="<p>" + "long " * 5000)
client = SendGridAPIClient("SG.1", host=url)
answer = client.send(mail)
print(answer.status_code, answer.body, answer.headers["X-Message-Id"])
print(shown(answer.headers))
answer = client.client.api_keys.get(query_params={"limit": 2})
print(answer.status_code, answer.to_dict, answer.headers.get("content-type"), shown(answer.headers))
print(client.client.api_keys.post(request_body={"name": "two"}).to_dict)
print(client.client.api_keys._("k1").delete().status_code)
for call in (client.client.stats.get, client.client.nothing.get):
    try:
        call()
    except HTTPError as error:
        print(type(error).__name__, error.status_code, error.reason, error.body, shown(error.headers))
try:
    SendGridAPIClient("wrong", host=url).send(mail)
except HTTPError as error:
    print(type(error).__name__, error.to_dict)
