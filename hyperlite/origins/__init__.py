"""Connections to origins, lent out for a request each."""
