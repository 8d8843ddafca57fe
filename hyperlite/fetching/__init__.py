"""One fetch: its options, its hops, its response."""
