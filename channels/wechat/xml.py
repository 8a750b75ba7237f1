"""WeChat's XML: one flat element `xml`. Reading it resolves no entity and opens nothing; writing it escapes everything.

Pure. May not know what the fields mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lxml import etree

from normalizer.errors import Rejected

MAX: Final = 1024 * 1024
"""Bytes that are looked at at all."""
FIELDS_MAX: Final = 200
_DECLARATION: Final = re.compile(r"\s*<\?xml\b([^>]{0,200})\?>", re.ASCII)
_ENCODING: Final = re.compile(r"""encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_BEFORE_ROOT: Final = re.compile(r"(?:\s|<!--(?:(?!-->).)*-->|<\?(?:(?!\?>).)*\?>)*", re.DOTALL)
# What XML 1.0 (2.2) cannot hold, but telephones send: dropped, or one byte would lose a citizen.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def fields_of(body: bytes) -> dict[str, str]:
    """The texts of the children of `xml`, by name; of several of one name the first, of nested ones nothing.

    Raises:
        Rejected: `empty`, `too_large`, `encoding_invalid`, `doctype_refused`, `xml_invalid`, `not_a_message`.
    """
    root = _root(_decoded(body))
    if root.tag != "xml":
        raise Rejected("not_a_message", "This is XML, but no message of WeChat.")
    if len(root) > FIELDS_MAX:
        raise Rejected("xml_invalid", f"A message has {FIELDS_MAX} fields at most.")
    found: dict[str, str] = {}
    for child in root:
        if isinstance(child.tag, str) and len(child) == 0:
            found.setdefault(child.tag, child.text or "")
    return found


def written(fields: Mapping[str, str | int]) -> bytes:
    """The element `xml` with these children: texts as CDATA, as WeChat writes them itself."""
    root = etree.Element("xml")
    for name, value in fields.items():
        child = etree.SubElement(root, name)
        text = _NOT_XML.sub("", str(value))
        child.text = etree.CDATA(text) if isinstance(value, str) and "]]>" not in text else text
    written: bytes = etree.tostring(root, encoding="utf-8")
    return written


def _decoded(body: bytes) -> str:
    """The text without its declaration: WeChat writes UTF-8, and a parser that follows another claim can be misled."""
    if not body.strip():
        raise Rejected("empty", "There is nothing in it.")
    if len(body) > MAX:
        raise Rejected("too_large", "A message is much smaller.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Rejected("encoding_invalid", "A message of WeChat is UTF-8.") from None
    declaration = _DECLARATION.match(text)
    if declaration is None:
        return text
    named = _ENCODING.search(declaration[1])
    if named is not None and named[1].lower() not in ("utf-8", "utf8"):
        raise Rejected("encoding_invalid", "A message of WeChat is UTF-8.")
    return text[declaration.end() :]


def _root(text: str) -> etree._Element:
    text = _NOT_XML.sub("", text)
    start = _BEFORE_ROOT.match(text)
    if start is not None and text.startswith("<!", start.end()):
        # Before any parser sees it: what is not declared cannot be expanded.
        raise Rejected("doctype_refused", "A message of WeChat has no document type.")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text, parser)
    except (etree.LxmlError, ValueError):
        raise Rejected("xml_invalid", "This is no XML.") from None
    if root is None or root.getroottree().docinfo.doctype:
        raise Rejected("xml_invalid", "This is no XML of a message.")
    return root
