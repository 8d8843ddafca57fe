"""A program that goes on for long: what it holds must not grow."""
