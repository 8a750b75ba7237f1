"""HTML of a mail into text that people can read: tables as columns, hidden parts and style sheets left out.

Pure and total. What would make the renderer slow or its output huge is taken out of the tree first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from channels.email import charsets

SIZE_MAX: Final = 2_000_000
"""Characters that are read; a person's words do not stand behind two million of markup."""
DEPTH_MAX: Final = 120
"""The renderer descends by recursion; deeper trees are read flat."""
NODES_MAX: Final = 30_000
COLUMNS_MAX: Final = 100
PADDED_MAX: Final = 500_000
"""Characters that a table padded into columns may have: its cells by the longest of them bounds them."""

_CONFIG: Final = ParserConfig(css=STRICT_CSS_PROFILE)
_META: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_DROPPED: Final = frozenset(
    ["script", "style", "head", "title", "template", "noframes", "object", "applet", "svg", "math", "map", "iframe"]
)
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_PRE: Final = re.compile(r"white-space\s*:\s*(pre(?:-line|-wrap)?|break-spaces)\b", re.IGNORECASE)
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_TABLE: Final = frozenset({"table", "thead", "tbody", "tfoot", "tr", "td", "th"})
_QUOTES: Final = re.compile(r"\b(?:gmail_quote|yahoo_quoted|protonmail_quote|tutanota_quote|isReplyContent)\b")
_BORDER: Final = re.compile(r"border-left(?:-width)?\s*:\s*(?!none|0)[^;]", re.IGNORECASE)
_QUOTE_DEPTH_MAX: Final = 10
_OPENS, _CLOSES = "\ufdd0", "\ufdd1"
"""Lines that stand for the edges of a quotation while the page is rendered: no characters, and never sent as such."""
_INVISIBLE: Final = dict.fromkeys(map(ord, f"\u200b\u200c\u200d\u2060\ufeff\xad{_OPENS}{_CLOSES}"))
_GAPS: Final = re.compile(r"\n{3,}")


def charset(data: bytes) -> str | None:
    """The charset that the document itself names in its first 4 KiB."""
    match = _META.search(data[:4096])
    return match[1].decode("ascii", "ignore") if match else None


def to_text(html: str) -> str:
    """The readable text of `html`, line feeds only; "" when there is none."""
    cut = charsets.clean(html[:SIZE_MAX]).replace(_OPENS, "").replace(_CLOSES, "")
    tree = _tree(cut)
    if tree is None:
        return _tidy("".join(_stripped(cut)))
    depth, nodes = _prune(tree)
    is_small = depth <= DEPTH_MAX and nodes <= NODES_MAX
    if is_small:
        _flatten_tables(tree)
    _mark_quotes(tree)
    text = _cited(_rendered(tree)) if is_small else ""
    return _tidy(text if text.strip() else _cited("".join(_flat(tree))))


def _tree(html: str) -> HtmlElement | None:
    """None: there is no element in it, or it is nested deeper than the parser goes, which then stops reading."""
    options = {"encoding": "utf-8", "remove_comments": True, "remove_pis": True, "huge_tree": True}
    parser = HTMLParser(**options)  # type: ignore[no-untyped-call]  # lxml ships no types
    try:
        tree = document_fromstring(html.encode("utf-8", "replace"), parser=parser)  # type: ignore[no-untyped-call]
    except (etree.LxmlError, ValueError):
        return None
    deep = any(error.level == etree.ErrorLevels.FATAL for error in parser.error_log)
    return None if deep else tree


def _rendered(tree: HtmlElement) -> str:
    try:
        return str(Inscriptis(tree, _CONFIG).get_text())
    except Exception:  # a stranger's markup and a third party's renderer: the flat reading below always works
        return ""


def _prune(tree: HtmlElement) -> tuple[int, int]:
    """Take out what is not to be read and all style but white space; the tree's depth and number of nodes."""
    depth = deepest = nodes = 0
    gone: list[HtmlElement] = []
    for event, node in etree.iterwalk(tree, events=("start", "end")):
        if event == "end":
            depth -= 1
            continue
        depth += 1
        nodes += 1
        deepest = max(deepest, depth)
        style = node.get("style") or ""
        if node.tag in _DROPPED or "hidden" in node.attrib or (style and _HIDDEN.search(style)):
            gone.append(node)
        kept = f"white-space:{match[1].lower()}" if style and (match := _PRE.search(style)) else None
        quoted = node.tag == "blockquote" and _is_quote(node, style)
        node.attrib.clear()
        if quoted:
            node.set("cite", "")
        if kept:
            node.set("style", kept.replace("break-spaces", "pre"))
    for node in gone:
        if node is not tree and node.getparent() is not None:
            _drop(node)
    return deepest, nodes


def _is_quote(node: HtmlElement, style: str) -> bool:
    """Programs that quote say so or draw a line beside it; a bare blockquote is how people indent."""
    if (node.get("type") or "").lower() == "cite" or node.get("cite"):
        return True
    return bool(_QUOTES.search(f"{node.get('class')} {node.get('id')}") or _BORDER.search(style))


def _mark_quotes(tree: HtmlElement) -> None:
    """A line at both edges of each quotation, but not inside a table's cell, which is no place for lines."""
    quotes: list[HtmlElement] = []
    cells = 0
    for event, node in etree.iterwalk(tree, events=("start", "end")):
        if node.tag in ("td", "th"):
            cells += 1 if event == "start" else -1
        elif event == "start" and not cells and node.tag == "blockquote" and "cite" in node.attrib:
            quotes.append(node)
    for node in quotes:
        edges = [etree.SubElement(node, "div"), etree.SubElement(node, "div")]
        edges[0].text, edges[1].text = _OPENS, _CLOSES
        edges[0].tail, node.text = node.text, None
        node.insert(0, edges[0])


def _cited(text: str) -> str:
    """What stands in quotations as plain text shows it (RFC 3676 4.5), so that one reading serves both. A page that is
    one quotation and nothing else is what was sent."""
    if _OPENS not in text:
        return text
    lines: list[tuple[int, str]] = []
    depth = 0
    for line in text.split("\n"):
        depth += line.count(_OPENS)
        said = line.replace(_OPENS, "").replace(_CLOSES, "")
        if said.strip() or said == line:
            lines.append((min(depth, _QUOTE_DEPTH_MAX), said))
        depth = max(depth - line.count(_CLOSES), 0)
    outer = min((depth for depth, said in lines if said.strip()), default=0)
    return "\n".join(
        f"{'>' * (depth - outer)} {said}" if said.strip() and depth > outer else said for depth, said in lines
    )


def _drop(node: HtmlElement) -> None:
    """Empty it; the text behind it stays where it is."""
    tail = node.tail
    node.clear()
    node.tag, node.tail = "span", tail


def _flatten_tables(tree: HtmlElement) -> None:
    """Layout is not a table: what holds tables, or one cell a row, or would need too much padding becomes blocks."""
    for table in list(tree.iter("table")):
        rows = list(table.iter("tr"))
        columns = max((sum(1 for cell in row if cell.tag in ("td", "th")) for row in rows), default=0)
        layout = next(table.iterdescendants("table"), None) is not None
        if layout or not 2 <= columns <= COLUMNS_MAX or len(rows) * columns * _longest(table) > PADDED_MAX:
            _unwrap(table)


def _longest(table: HtmlElement) -> int:
    return max((sum(len(text) for text in cell.itertext()) for cell in table.iter("td", "th")), default=0)


def _unwrap(table: HtmlElement) -> None:
    """The table's own elements become blocks; tables inside stay."""
    waiting = [table]
    while waiting:
        node = waiting.pop()
        node.tag = "div"
        waiting.extend(child for child in node if child.tag in _TABLE and child.tag != "table")


def _flat(tree: HtmlElement) -> Iterator[str]:
    """All text in order, a new line where a block starts or ends."""
    for event, node in etree.iterwalk(tree, events=("start", "end")):
        if not isinstance(node.tag, str):
            continue
        if node.tag in ("td", "th"):
            yield "  "
        elif node.tag in _BLOCKS:
            yield "\n"
        said = node.text if event == "start" else node.tail
        yield " ".join(said.split()) + " " if said and said.strip() else ""


def _stripped(html: str) -> Iterator[str]:
    """The text between tags, by their brackets alone."""
    closing = ""
    for piece in html.split("<"):
        tag, bracket, text = piece.partition(">")
        name = tag[:20].strip().split(" ", 1)[0].lower()
        if closing:
            closing = "" if name == closing else closing
        elif name in ("script", "style"):
            closing = f"/{name}"
        if not closing:
            yield " ".join((text if bracket else piece).split()) + " "


def _tidy(text: str) -> str:
    unified = charsets.clean(text).replace("\xa0", " ").translate(_INVISIBLE)
    return _GAPS.sub("\n\n", "\n".join(line.rstrip() for line in unified.split("\n"))).strip("\n")
