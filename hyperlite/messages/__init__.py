"""Requests, fields, responses and their rules, the same for both protocols."""
