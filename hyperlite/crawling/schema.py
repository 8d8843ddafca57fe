"""The tables of a crawl's state.

- `urls`: each URL once, with its shard, and once it has an outcome, that: `status` (0: no response), `tries`,
  `error`, and the part that has its record.  `status` is NULL while there is none.  `reach` is how far inside
  it may lead.  `moved` is where it goes on, in JSON, if a worker was redirected to another host.
- `hosts`: the hosts of these URLs.  All URLs of a host are in shards of one lane.
- `shards`: at most `SHARD` URLs each.  The shards of a lane are done one after the other.  `tries` is how
  many workers were lost with it in a row.
- `leases`: tasks that workers may be at, each named as a part; `shards.lease` says of which shards.
- `workers`: what each worker has done in each run.
- `parts`: the manifest.  A part has `records` records in its first `bytes` bytes; what is behind these does
  not count, nor does a part that is not here.  Of its records, `dropped` are of URLs that were fetched again
  since.
- `turns`: what each turn has written down, in figures (see `figures`), with its run and its time.
- `runs`: when the crawl was run, and how each run ended; NULL: it was killed, or goes on.
"""

VERSION = 2
# "hlcr": tells programs, such as file(1), of which kind this database is.
APPLICATION = 0x686C6372

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE hosts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, lane INTEGER);
CREATE TABLE urls (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    key BLOB NOT NULL UNIQUE,
    host INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    reach INTEGER NOT NULL,
    shard INTEGER,
    status INTEGER,
    tries INTEGER,
    error TEXT,
    part INTEGER,
    moved TEXT
);
CREATE INDEX urls_of_shards ON urls (shard, host);
CREATE TABLE shards (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    open INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    lease INTEGER
);
CREATE INDEX open_shards ON shards (lane, id) WHERE open > 0;
CREATE INDEX leased_shards ON shards (lease) WHERE lease IS NOT NULL;
CREATE TABLE leases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    shard INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    seconds REAL NOT NULL
);
CREATE TABLE workers (
    run INTEGER NOT NULL,
    name TEXT NOT NULL,
    tasks INTEGER NOT NULL,
    urls INTEGER NOT NULL,
    seconds REAL NOT NULL,
    cpu REAL NOT NULL,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE TABLE parts (
    id INTEGER PRIMARY KEY,
    shard INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    records INTEGER NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0,
    UNIQUE (shard, attempt)
);
CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    at REAL NOT NULL,
    figures TEXT NOT NULL
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    began REAL NOT NULL,
    ended REAL,
    how TEXT,
    options TEXT NOT NULL
);
"""
