# Every target makes its own .venv when there is none: python3 (3.11 or later) and make are all it takes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: all help demo test throughput hostile hostile-clients check fmt cov speedups no-speedups fuzz fuzz-speedups compat-stdlib compat-callers compat-requests compat-scrapy compat-servers bench bench-adapter bench-count bench-crawl compare-crawls crawl-faults cluster-faults faults schedules soak profile docs dist dist-check changelog clean
.DELETE_ON_ERROR:

all: check test

# The targets, as the table in CONTRIBUTING.md has them.
help:
	@sed -n 's/^| `\(make [a-z-]*\)` | \(.*\) |$$/\1|\2/p' CONTRIBUTING.md | sed 's/\[\([^]]*\)\]([^)]*)/\1/g; s/`//g' \
		| awk -F'|' '{ printf "%-21s %s\n", $$1, $$2 }'

# What `make demo` needs: the package and the embedded server's certificates.
$(VENV)/.demo: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[testing]'
	touch $@

# What the tests and the checks need besides.
$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(VENV)/.demo
	$(BIN)/python -m hyperlite demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

# The tests that hold a bar of time, for a machine that has nothing else to do.
throughput: $(VENV)/.dev
	$(BIN)/python -m pytest -m throughput $(ARGS)

# What hostile and broken servers do, case by case; ARGS="flood one-byte" for some of them.
hostile: $(VENV)/.dev
	$(BIN)/python -m tests.hostile $(ARGS)

# The same cases, with other clients: writes docs/hostile-clients.md, in half an hour; ARGS="--only curl -- flood".
$(VENV)/hostile/.made $(VENV)/hostile-niquests/.made: $(VENV)/hostile%/.made: compat/hostile/requirements%.txt
	test -x $(VENV)/hostile$*/bin/python || $(PYTHON) -m venv $(VENV)/hostile$*
	$(VENV)/hostile$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

hostile-clients: $(VENV)/.dev $(VENV)/hostile/.made $(VENV)/hostile-niquests/.made
	$(BIN)/python -m compat.hostile --python $(VENV)/hostile/bin/python \
		--niquests $(VENV)/hostile-niquests/bin/python $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

cov: $(VENV)/.dev
	rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run -m pytest $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

# The site, into build/site: an environment of its own, because nothing else needs Sphinx.
$(VENV)/docs/.made: pyproject.toml docs/requirements.txt
	test -x $(VENV)/docs/bin/python || $(PYTHON) -m venv $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[crawl,warc,requests,cli]' \
		--requirement docs/requirements.txt
	touch $@

docs: $(VENV)/docs/.made
	$(VENV)/docs/bin/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env -b html -d build/doctrees docs build/site
	@echo "build/site/index.html"

# The distributions, into dist/: built twice, compared, and checked.
$(VENV)/dist/.made: compat/dist/requirements.txt
	test -x $(VENV)/dist/bin/python || $(PYTHON) -m venv $(VENV)/dist
	$(VENV)/dist/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

dist: $(VENV)/dist/.made
	$(VENV)/dist/bin/python -m compat.dist

# What is in dist/, installed into empty environments and used there: some minutes.
dist-check: dist
	$(VENV)/dist/bin/python -m compat.dist.installed

# The files of changes/, into CHANGELOG.md: make changelog VERSION=1.1.0.
changelog:
	$(PYTHON) -m compat.dist.changelog $(VERSION)

# The compiled decoder, into the environment of the tests: needs a C compiler and Python's headers.
speedups: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps ./speedups

no-speedups: $(VENV)/.dev
	$(BIN)/python -m pip uninstall --quiet --disable-pip-version-check --yes hyperlite-http-speedups

# Built with sanitizers, tested, and fed blocks for a minute; ARGS="--seconds 600".
SANITIZED := $(CURDIR)/$(VENV)/sanitized
SANITIZERS := env LD_PRELOAD=$(shell $(CC) -print-file-name=libasan.so) PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 PYTHONPATH=$(SANITIZED) HYPERLITE_SPEEDUPS=1
fuzz-speedups: $(VENV)/.dev
	CFLAGS="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all" $(BIN)/python -m pip install --quiet \
		--disable-pip-version-check --no-deps --no-cache-dir --upgrade --target $(SANITIZED) ./speedups
	$(SANITIZERS) $(BIN)/python -m pytest -k "compiled or Finding" tests/http2/engine/test_speedups.py \
		tests/http2/engine/test_hpack_decoder.py tests/http2/engine/test_hpack_agreement.py
	$(SANITIZERS) $(BIN)/python -m tests.http2.engine.fuzz_speedups $(ARGS)

# What reads what peers send, fuzzed for a minute each (atheris); ARGS="--seconds 600 url coding". It goes on from
# where it was: .fuzz/ keeps what it has learnt, and what it has found.
$(VENV)/fuzz/.made: pyproject.toml tests/fuzz/requirements.txt
	test -x $(VENV)/fuzz/bin/python || $(PYTHON) -m venv $(VENV)/fuzz
	$(VENV)/fuzz/bin/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[crawl,br,zstd,idna,testing]' --requirement tests/fuzz/requirements.txt
	$(VENV)/fuzz/bin/python -m pip install --quiet --disable-pip-version-check --no-deps ./speedups \
		|| echo "left out: the compiled decoder"
	touch $@

fuzz: $(VENV)/fuzz/.made
	$(VENV)/fuzz/bin/python -m tests.fuzz $(ARGS)

# Python's own tests with hyperlite in http.client's place, on every Python found; ARGS=--only-default for one.
compat-stdlib: $(VENV)/.dev
	$(BIN)/python -m compat.stdlib $(ARGS)

# Real libraries that stand on http.client, in an environment of their own, so that none of them is in the tests'.
$(VENV)/callers/.made: pyproject.toml compat/callers/requirements.txt
	test -x $(VENV)/callers/bin/python || $(PYTHON) -m venv $(VENV)/callers
	$(VENV)/callers/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[testing]' \
		--requirement compat/callers/requirements.txt
	touch $@

compat-callers: $(VENV)/callers/.made
	$(VENV)/callers/bin/python -m pytest compat/callers $(ARGS)

# requests' own tests, with its adapter and with ours; ARGS="--over HTTP/2", ARGS="-- -k chunked".
$(VENV)/requests/.made: pyproject.toml compat/requests/requirements.txt
	test -x $(VENV)/requests/bin/python || $(PYTHON) -m venv $(VENV)/requests
	$(VENV)/requests/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[testing,requests]' \
		--requirement compat/requests/requirements.txt
	touch $@

compat-requests: $(VENV)/requests/.made
	$(VENV)/requests/bin/python -m compat.requests $(ARGS)

# A site of 2,000 linked pages, crawled by scrapy and by hyperlite: which URLs each has asked for.
$(VENV)/scrapy/.made: compat/scrapy/requirements.txt
	test -x $(VENV)/scrapy/bin/python || $(PYTHON) -m venv $(VENV)/scrapy
	$(VENV)/scrapy/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

compat-scrapy: $(VENV)/.dev $(VENV)/scrapy/.made
	$(BIN)/python -m compat.scrapy $(VENV)/scrapy/bin/python $(ARGS)

# Every HTTP/2 server that can be installed (by apt where that may be used), into docs/reference/servers-matrix.md: a quarter
# of an hour; ARGS="nginx h2o" for some of them, --quick for less than a minute, see --help.
compat-servers: $(VENV)/.dev
	$(BIN)/python -m compat.servers $(ARGS)

# What hyperlite is measured beside, one by one: what cannot be installed is left out, and make bench says so.
$(VENV)/bench/.made $(VENV)/bench-niquests/.made: $(VENV)/%/.made: pyproject.toml tests/benchmarks/%.txt
	test -x $(VENV)/$*/bin/python || $(PYTHON) -m venv $(VENV)/$*
	grep -v '^#' tests/benchmarks/$*.txt | while read -r one; do \
		$(VENV)/$*/bin/python -m pip install --quiet --disable-pip-version-check $$one || echo "left out: $$one"; \
	done
	touch $@

# hyperlite and its peers, side by side, into docs/benchmarks: an hour and more; ARGS=--quick for minutes, see --help.
bench: $(VENV)/bench/.made $(VENV)/bench-niquests/.made
	$(VENV)/bench/bin/python -m tests.benchmarks $(ARGS)

# Where a small request's time goes; ARGS="--server nghttpd --files different".
profile: $(VENV)/bench/.made
	$(VENV)/bench/bin/python -m tests.benchmarks.layers $(ARGS)

# requests over HTTP20Adapter beside requests over its own: CPU, whose it is, and many threads; two minutes.
bench-adapter: $(VENV)/bench/.made
	$(VENV)/bench/bin/python -m tests.benchmarks.sessions $(ARGS)

# Instructions for each request, beside those of the commit that bench-count.json names; needs valgrind, a minute.
bench-count: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.count $(ARGS)

# A network that fails at each moment of a connection, in each way to make requests: an hour; ARGS="--every 10".
faults: $(VENV)/.dev
	$(BIN)/python -m tests.faults $(ARGS)

# Two threads, of which one stands still at a line of hyperlite's while the other goes on, for each line: an hour;
# ARGS="--every 10 cancel".
schedules: $(VENV)/.dev
	$(BIN)/python -m tests.schedules $(ARGS)

# A million requests of all kinds: what the process holds must not grow; hours, ARGS="--requests 50000".
soak: $(VENV)/.dev
	$(BIN)/python -m tests.soak $(ARGS)

# A crawl that is killed twenty times, and whose disk is full: some minutes; root, for the disk.
crawl-faults: $(VENV)/.dev
	$(BIN)/python -m tests.crawling.faults $(ARGS)

# The same crawl on workers, which are killed as well: threads, processes, loky, Dask; parts in a folder, and on
# S3. ARGS="--executor dask --storage s3 --count 4000" for a part of it; a quarter of an hour.
cluster-faults: $(VENV)/.dev
	$(BIN)/python -m tests.crawling.cluster $(ARGS)

# What a URL of a crawl costs, beside one of fetch_many() alone; two minutes. ARGS="--urls 1000000": one long crawl, its
# memory on the way, its state, its rate; it takes a quarter of an hour, and 4 GB in the folder for temporary files.
bench-crawl: $(VENV)/.dev
	$(BIN)/python -m tests.crawling.cost $(ARGS)

# The same crawl by hyperlite, scrapy, aiohttp and httpx (docs/examples), in an environment of the others' own: what it
# takes, and what is left after a kill; ten minutes.
$(VENV)/peers/.made: tests/crawling/peers.txt
	test -x $(VENV)/peers/bin/python || $(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

compare-crawls: $(VENV)/.dev $(VENV)/peers/.made
	$(BIN)/python -m tests.crawling.compare $(VENV)/peers/bin/python $(ARGS)

clean:
	rm -rf $(VENV) .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist build
