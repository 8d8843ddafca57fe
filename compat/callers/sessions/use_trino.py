"""Ask a Trino cluster: pages of rows, a parameter, the session, a transaction, errors, a busy coordinator."""

import sys
from urllib.parse import urlsplit

import requests
import trino
from mounted import adapter

url = urlsplit(sys.argv[1])
session = requests.Session()
session.mount("https://", adapter())
auth = trino.auth.BasicAuthentication("me", "secret")
connection = trino.dbapi.connect(
    host=url.hostname, port=url.port, http_scheme="https", user="me", auth=auth, http_session=session,
    catalog="tpch", schema="tiny", extra_credential=[("a", "b c")], session_properties={"limit": "1"},
    legacy_prepared_statements=False, heartbeat_interval=None, encoding=None,
)  # fmt: skip
cursor = connection.cursor()
cursor.execute("SELECT number, word FROM words")
print([column[0] for column in cursor.description], cursor.fetchone(), cursor.fetchmany(2))
print(len(cursor.fetchall()), cursor.query_id, cursor.stats["state"])
cursor.execute("SELECT busy")
print(cursor.fetchall())
cursor.execute("SET SESSION limit = 2")
print(cursor.fetchall(), connection._client_session.properties)
cursor.execute("SELECT ? AS word", ("å",))
print(cursor.fetchall())
for wrong in ("SELECT wrong", "SELECT broken"):
    try:
        cursor.execute(wrong)
        cursor.fetchall()
    except trino.exceptions.TrinoQueryError as error:
        print(type(error).__name__, error.error_name, error.message)
    except trino.exceptions.HttpError as error:
        print(type(error).__name__, error)
cursor.execute("SELECT number, word FROM words")
cursor.cancel()
connection.close()
session.close()
