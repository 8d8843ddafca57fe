"""Verify a token by a key that is fetched from a URL."""

import sys

import jwt

url = sys.argv[1]
secret = b"secret-secret-secret-secret-1234"
token = jwt.encode({"sub": "me"}, secret, "HS256", headers={"kid": "k2"})
client = jwt.PyJWKClient(url + "/keys", headers={"X-Tenant": "one"})
for _ in range(2):  # the second from memory
    key = client.get_signing_key_from_jwt(token)
    print(key.key_id, jwt.decode(token, key.key, ["HS256"]))
for path in ("/keys", "/moved", "/broken", "/text", "/missing"):
    try:
        jwt.PyJWKClient(url + path).get_signing_keys()
    except Exception as error:
        print(type(error).__name__, error, repr(error.__cause__))
try:
    jwt.PyJWKClient(url + "/keys", headers={"X-Tenant": "one"}).get_signing_key("k9")
except jwt.PyJWKClientError as error:
    print(error)
