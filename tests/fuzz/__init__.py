"""Fuzzing: targets that take any bytes, and inputs for them.

`targets` has the list.  A target is a function that takes bytes and raises `Broken`, or whatever the code
raises, if a promise is broken.  `make fuzz` feeds the targets inputs that coverage leads to (atheris), for as
long as `--seconds` says; test_corpus.py feeds them the inputs in `corpus/`, without atheris.
"""
