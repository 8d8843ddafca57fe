"""Hostile and broken servers, one named case each, and a runner that tries any client program against them.

`python -m hyperlite.testing.hostile --client CMD` starts CMD, and speaks with it in lines of JSON: see
`protocol`.  Nothing here imports hyperlite's client.
"""
