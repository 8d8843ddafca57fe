"""The distributions: how they are built, checked, installed, and what they say is new."""
