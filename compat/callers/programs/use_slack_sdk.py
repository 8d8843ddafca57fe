"""Call Slack: messages, pages, an upload, what the service refuses, and a webhook."""

import sys

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.webhook import WebhookClient

url = sys.argv[1]
client = WebClient(token="xoxb-1", base_url=f"{url}/api/")
answer = client.auth_test()
print(answer.status_code, answer.data, answer.headers["Content-Type"])
print(client.chat_postMessage(channel="#build", text="done ✓").data)
for page in client.conversations_list(limit=2):
    print([channel["name"] for channel in page["channels"]])
client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
print(client.users_info(user="U1")["user"])
print(client.files_upload_v2(content="line\n" * 1000, filename="notes.txt", title="notes").data)
try:
    WebClient(token="wrong", base_url=f"{url}/api/").auth_test()
except SlackApiError as error:
    print(error)
try:
    client.api_call("down")
except SlackApiError as error:
    print(error, error.response.status_code)
hook = WebhookClient(f"{url}/hook").send(text="build 5")
print(hook.status_code, hook.body, hook.headers["Content-Type"])
