"""What systems call that which says how a list goes on: folded, so that `has_more` is `hasmore`.

Some names lead on, some only say that there is more, and some mean two things and are listed where that matters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

HOLDERS: Final = frozenset(
    {
        "links", "link", "paging", "pagination", "pager", "page", "pageinfo", "meta", "metadata", "cursor", "cursors",
        "responsemetadata", "navigation", "hydraview", "view", "info", "resultinfo", "pagecontext", "pageable", "next",
        "pages", "listinfo", "paginginfo", "paginationinfo", "pagemetadata", "xpagination",
    }
)  # fmt: skip
"""Objects beside the list that say how it goes on."""
LINKS: Final = (
    "odatanextlink", "nextlink", "next", "nexturl", "nexthref", "nextrecordsurl", "nextpageurl", "nextpagelink",
    "nextpageuri", "nexturi", "hydranext", "nextpage", "moreurl",
)  # fmt: skip
"""Names under which an address, a number or a word leads on."""
CURSORS: Final = (
    "nextpagetoken", "nexttoken", "nextcursor", "nextpagecursor", "cursor", "endcursor", "after", "nextoffset",
    "offset",
    "continuation", "continuationtoken", "scrollid", "nextstart", "marker", "nextmarker", "skiptoken", "bookmark",
    "nextpageid", "vidoffset", "startingafter", "continue",
)  # fmt: skip
"""Names under which a word leads on."""
SAID_AGAIN: Final = frozenset(
    {"cursor", "after", "marker", "bookmark", "offset", "continuation", "skiptoken", "vidoffset"}
)
"""Those under which a page may also say what it was asked for."""
INTO: Final[Mapping[str, str]] = {
    "endcursor": "after",
    "nexttoken": "",
    "vidoffset": "vidOffset",
    "skiptoken": "$skiptoken",
}
"""Parameters that are not called like the name without `next`; empty: called just so."""
MORE: Final = re.compile(
    r"(?:has|is|are|thereis|thereare|get)?(?:any)?(?:(?:more|next)(?:pages?|items?|records?|results?|rows?|data|entries"
    r"|members|available|exists?|remaining)*|(?:results?|list)?(?:truncated|limited|partial|incomplete)(?:results?)?"
    r"|(?:row|result|page|size|record)?limit(?:exceeded|reached))"
)
"""Names of flags that are set where more follows. `next` alone is a link's."""
LAST: Final = re.compile(
    r"(?:is)?(?:the)?(?:last|final)(?:page|batch|chunk|results?)?|(?:is|all)?(?:done|complete|completed|finished|exhausted)"
    r"|eof|end|(?:is)?end(?:of)?(?:records|list|results?|data|reached)|(?:reached|at)end|nomore(?:data|pages?|results?)?"
)
"""Names of flags that are set where nothing follows."""
LEFT: Final = re.compile(
    r"(?:remaining|left)(?:items?|records?|rows?|results?|members|pages)?(?:count)?"
    r"|(?:items?|records?|rows?|results?|members|pages)(?:remaining|left)"
)
"""Names of how many follow."""
LEADS_ON: Final = re.compile(
    r"next(?!(?:sync|delta|update|run|poll|refresh|retry|check|billing|payment|meeting|renewal|due|date|time|at$)).*"
    r"|(?:x?ms)?continu.*|resum.*|.*lastevaluatedkey|pagingstate|searchafter|startingafter|after(?:cursor|key|id)"
    r"|exclusivestartkey|scroll(?:id|token)|endcursor"
)
"""Names of what nobody knows how to follow, and which still say that there is more."""
TOTALS: Final = (
    "odatacount", "total", "totalcount", "totalresults", "totalelements", "totalitems", "totalsize", "totalrecords",
    "totalentries", "totalrows", "totalhits", "hydratotalitems", "recordsfiltered", "numfound", "itemcount",
    "totalrecordcount", "totalitemcount", "totalresultcount", "resultcount", "count",
)  # fmt: skip
"""The last one may also be the page's own."""
PAGES: Final = ("totalpages", "pages", "pagecount", "lastpage", "numpages", "pagestotal")
NUMBERS: Final = ("page", "currentpage", "pagenumber", "number", "pageindex", "pageno", "pagenum")
DELTA_LINKS: Final = ("odatadeltalink", "deltalink")

SIZES: Final = frozenset(
    {
        "limit", "perpage", "pagesize", "size", "top", "maxresults", "first", "count", "rows", "take", "pagelimit", "n",
        "itemsperpage",
    }
)  # fmt: skip
"""Parameters by which an address asks for so many rows."""
OFFSETS: Final = frozenset({"offset", "start", "skip", "from", "startindex", "startat", "startposition", "pageoffset"})
PLACES: Final = OFFSETS | {
    "page",
    "p",
    "pagenumber",
    "pageindex",
    "pageno",
    "pagenum",
    "cursor",
    "after",
    "pagetoken",
    "pagecursor",
}
"""Parameters by which an address says where a page begins."""

NO_FLAGS: Final = frozenset({*LINKS, *CURSORS})
NUMBERS_TOO: Final = frozenset({"last", "lastpage", "end", "final"})
"""Flags whose names numbers have too: of the last page, of the last row."""
NOTHING: Final = frozenset({"null", "none", "false", "0"})
COUNTED_FROM_ONE: Final = frozenset({"startindex", "startposition"})
"""SCIM's (RFC 7644, 3.4.2.4), OpenSearch's and QuickBooks' first row is 1."""
HEADER_PREFIX: Final = re.compile(r"(?:x-)?(?:wp-|ms-|pagination-|paging-)?")
IN_HEADERS: Final = frozenset({*LINKS, *CURSORS, *TOTALS, *PAGES, *NUMBERS}) - {"after", "continue"}
