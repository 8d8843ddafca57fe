"""The site, for `make docs`: Sphinx, pages in MyST, furo."""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext")]

project = "hyperlite"
author = "The hyperlite authors"
copyright = author  # noqa: A001 (Sphinx's name)
release = re.search(r'__version__ = "(.+)"', (DOCS.parent / "hyperlite" / "__init__.py").read_text())[1]  # type: ignore[index]
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "diagrams",
    "docstrings",
    "outside",
]
exclude_patterns = ["examples/**/README.md"]

myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

default_role = "literal"  # the docstrings' single backticks are code
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 80

smartquotes = False  # what stands in quotes is often typed
highlight_language = "text"
pygments_style = "friendly"
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = "hyperlite"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": []}
copybutton_exclude = ".linenos, .gp, .go"
