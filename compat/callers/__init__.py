"""Libraries that stand on http.client, with hyperlite in its place: README.md has the table."""
