"""Use Twitter by tweepy: OAuth 1, an upload, pages, limits, and a stream that ends and is taken up again."""

import io
import sys

import tweepy
from mounted import adapter

url = sys.argv[1]
there = "https://api.twitter.com"  # a constant of tweepy, which the adapter replaces


class Ours(type(adapter())):
    """Sends what is for Twitter to our server."""

    def send(self, request, **options):
        request.url = request.url.replace(there, url)
        return super().send(request, **options)


api = tweepy.API(tweepy.OAuth1UserHandler(*"abcd"), host=url[8:], upload_host=url[8:])
api.session.mount("https://", adapter())
print(api.verify_credentials().screen_name)
print([status.id for status in tweepy.Cursor(api.home_timeline, count=2).items(5)])
print(api.media_upload("picture.png", file=io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"p" * 200_000)).media_id)
print(api.update_status("done ✓").text)
client = tweepy.Client("bearer", *"abcd")
client.session.mount(there, Ours())
print(client.get_user(username="me").data.name, client.create_tweet(text="å", user_auth=True).data)
pages = tweepy.Paginator(client.get_users_tweets, 1, max_results=5)
print([tweet.text for tweet in pages.flatten()])
for call in (lambda: client.get_tweet(404), lambda: client.get_tweet(429), lambda: client.get_tweet(500)):
    try:
        call()
    except tweepy.HTTPException as error:
        print(type(error).__name__, error, error.response.headers.get("x-rate-limit-reset"))


class Stream(tweepy.StreamingClient):
    """Prints what comes, until the second time that the stream has ended."""

    ends = 0

    def on_tweet(self, tweet):
        print("tweet", tweet.text[:9], len(tweet.text))

    def on_keep_alive(self):
        print("still there")

    def on_closed(self, response):
        print("closed", response.status_code)
        self.ends += 1
        if self.ends == 2:
            self.disconnect()


stream = Stream("bearer", max_retries=0)
stream.session.mount(there, Ours())
print(stream.add_rules(tweepy.StreamRule("cats")).data)
stream.filter()
