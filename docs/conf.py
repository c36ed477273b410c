"""How Sphinx makes the documentation's site: the Markdown of this repository as it stands, in one plain theme.

    sphinx-build -W -c docs . .referrals/site

The source folder is the checkout, so that README.md, CONTRACT.md and CHANGELOG.md are pages without being copied, and a
link between files is the one that a forge shows too. `-W` makes an error of whatever is wrong, first of all a link that
leads nowhere. Nothing on a page comes from elsewhere: furo brings its styles and scripts, and has no fonts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from process.version import VERSION  # noqa: E402  the checkout is no installed package

project = "Referral Streams"
version = release = VERSION
copyright = ""  # noqa: A001  Sphinx's name; the licence stands in one file

root_doc = "docs/index"
include_patterns = [
    *("README.md", "CHANGELOG.md", "CONTRACT.md", "DESIGN.md"),
    *("docs/**.md", "examples/README.md", "proof/bench/**.md", "schemas/settings.md"),
]
extensions = ["myst_parser"]
myst_heading_anchors = 3  # those of a forge, so that a link to a heading is checked
suppress_warnings = ["toc.not_included"]  # the navigation has few pages; tests/unit/test_site.py follows the links

html_theme = "furo"
html_title = f"Referral Streams {VERSION}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_extra_path = ["site"]  # index.html, which leads to the first page
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"
