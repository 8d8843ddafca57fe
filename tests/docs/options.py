"""docs/reference/options.md, written from the parsers of the commands: `python -m tests.docs.options`."""

import argparse
import importlib
from collections.abc import Iterator

from hyperlite.cli import COMMANDS

from .pages import DOCS

PAGE = DOCS / "reference" / "options.md"
HEAD = """\
# Commands and options

Every command, and every option that it has; what a default is stands in parentheses.
[The command line](command-line.md) shows them at work, and has the exit statuses.
`hyperlite COMMAND --help TOPIC` prints the same by topics.

`hyperlite --version` prints the versions of what takes part.
"""
# What stands behind a command that has no parser of its own.
BY_HAND = {
    "run": "The options are [Python's own](../howto/run.md); `-q` leaves out the line at the end.",
}


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the lines of a parser's tables, one for each group of options."""
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.option_strings]
        actions = [action for action in actions if action.dest != "help" and action.help != argparse.SUPPRESS]
        if not actions:
            continue
        if group.title not in ("options", "optional arguments"):
            yield f"\n**{group.title}**\n"
        else:
            yield ""
        yield "| option | what it does |"
        yield "|---|---|"
        for action in actions:
            choices = "|".join(map(str, action.choices or ()))
            value = "" if action.nargs == 0 else f" {action.metavar or choices or action.dest.upper()}"
            names = ", ".join(f"`{name}{value}`" for name in action.option_strings)
            yield "| {} | {} |".format(*(text.replace("|", "\\|") for text in (names, action.help or "")))


def page() -> str:
    """Return the page."""
    lines = [HEAD]
    for name, what in COMMANDS.items():
        lines += [f"## hyperlite {name}", "", f"{what[0].upper()}{what[1:]}."]
        module = importlib.import_module(f"hyperlite.cli.{name}")
        if hasattr(module, "parser"):
            parser = module.parser()
            usage = [line.strip() for line in (parser.usage or parser.format_usage()[7:]).splitlines()]
            lines += ["", "```text", *usage, "```", *options(parser), ""]
        else:
            lines += ["", BY_HAND[name], ""]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
