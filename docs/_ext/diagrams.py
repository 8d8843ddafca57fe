"""Blocks of mermaid become pictures when the site is built: one for light pages, one for dark ones.

The pictures are files, so no script runs and nothing is fetched when a page is read.
"""

import hashlib
import html
import json
from pathlib import Path
from typing import Any

import mmdr
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FONT = "Arial, Helvetica, sans-serif"
THEMES = {
    "light": {
        "background": "#ffffff",
        "primaryColor": "#eef3fb",
        "primaryBorderColor": "#5b7db1",
        "primaryTextColor": "#1b1f24",
        "lineColor": "#57606a",
        "edgeLabelBackground": "#ffffff",
    },
    "dark": {
        "background": "#131416",
        "primaryColor": "#1d2a3f",
        "primaryBorderColor": "#7fa3d8",
        "primaryTextColor": "#e6edf3",
        "lineColor": "#9da7b3",
        "edgeLabelBackground": "#131416",
    },
}


def svg(source: str, theme: str) -> str:
    """Return a diagram as SVG, in the colours of a theme."""
    colours = THEMES[theme]
    variables = colours | {
        "fontFamily": FONT,
        "textColor": colours["primaryTextColor"],
        "mainBkg": colours["primaryColor"],
        "nodeBorder": colours["primaryBorderColor"],
        "labelBackgroundColor": colours["edgeLabelBackground"],
        "actorBkg": colours["primaryColor"],
        "signalTextColor": colours["primaryTextColor"],
    }
    settings = {"theme": "base", "themeVariables": variables, "fontFamily": FONT}
    drawn = str(mmdr.render(f"%%{{init: {json.dumps(settings)}}}%%\n{source}").svg())
    # Labels of states have no margin for fonts that are wider than Arial.
    return drawn.replace("font-size:16px", "font-size:14px") if source.startswith("stateDiagram") else drawn


class Diagram(SphinxDirective):
    """A block of mermaid."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the two pictures, and return what shows one of them."""
        source = "\n".join(self.content)
        name = hashlib.sha256(source.encode()).hexdigest()[:16]
        found: list[nodes.Node] = []
        for theme in THEMES:
            path = Path(self.env.app.outdir) / "_images" / f"diagram-{name}-{theme}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(svg(source, theme))
            up = "../" * self.env.docname.count("/")
            found.append(
                nodes.raw(
                    "",
                    f'<img class="diagram only-{theme}" src="{up}_images/{path.name}" '
                    f'alt="{html.escape(source)}">',
                    format="html",
                )
            )
        return found


def setup(app: Sphinx) -> dict[str, Any]:
    """Take the blocks of mermaid."""
    app.add_directive("mermaid", Diagram)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
