"""How far our reading of mail agrees with what other parsers' authors expect of the same mail, field by field.

`python -m tests.channels.email.corpus_agreement` prints the table; every difference is named, with its reason from
`corpus_differences.toml` where somebody looked into it.
"""

from __future__ import annotations

import email.header
import email.utils
import json
import re
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels.email import charsets, html, message
from channels.email.message import Mail
from normalizer.errors import Rejected

DATA = Path(__file__).parents[4] / "shared" / "data" / "mail"
REASONS = Path(__file__).with_name("corpus_differences.toml")
FIELDS = ("subject", "sender", "text", "attachments")


@dataclass(frozen=True)
class Expected:
    """What others read in a mail; None where they say nothing. Attachments: (name, size), None for unknown."""

    subject: str | None
    sender: str | None
    text: str | None
    attachments: tuple[tuple[str | None, int | None], ...] | None


@dataclass
class Agreement:
    """Per field: how many mails say something of it, how many of these agree; and where they do not."""

    asked: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[str, str, str, str]] = field(default_factory=list)
    """File, field, expected, found: for whoever looks into it; not for documents (it holds people's words)."""


def squeezed(text: str) -> str:
    """Without any white space: parsers differ in line ends and folding, readers do not care."""
    return re.sub(r"[\s\u200b\ufeff]+", "", text)


def stalwart(root: Path) -> Iterator[tuple[Path, Expected]]:
    """`.json` beside `.eml`: the tree as mail-parser (Rust) reads it."""
    for path in sorted(root.glob("eml/[!m]*/*.eml")):
        yield from _told(path)


def malformed(root: Path) -> Iterator[tuple[Path, Expected]]:
    """The same for mail that is broken on purpose, most of it without any content: what to make of it is a choice."""
    for path in sorted(root.glob("eml/malformed/*.eml")):
        yield from _told(path)


def _told(path: Path) -> Iterator[tuple[Path, Expected]]:
    told = path.with_suffix(".crlf.json" if b"\r\n" in path.read_bytes() else ".json")
    if told.exists():
        yield path, _from_json(json.loads(told.read_text("utf-8")))


def _from_json(told: dict[str, Any]) -> Expected:
    parts = told["parts"]
    head = {one["name"]: one["value"] for one in parts[0]["headers"] if isinstance(one["name"], str)}
    subject = head.get("subject", {})
    subject = subject.get("Text", "") if isinstance(subject, dict) else ""
    return Expected(subject, _json_sender(head.get("from")), _json_text(told), _json_files(told))


def _json_sender(told: Any) -> str | None:
    people = told["Address"] if isinstance(told, dict) and "Address" in told else None
    if people is None:
        return None
    groups = people.get("Group")
    listed = people.get("List") or [one for group in groups or () for one in group["addresses"]]
    return _person(listed[0].get("name") or "", listed[0].get("address") or "") if listed else None


def _json_text(told: dict[str, Any]) -> str:
    said = []
    for number in told["text_body"]:
        body = told["parts"][number]["body"]
        if "Text" in body:
            said.append(body["Text"])
        elif "Html" in body:
            said.append(html.to_text(body["Html"]))
    return "\n".join(said)


def _json_files(told: dict[str, Any]) -> tuple[tuple[str | None, int | None], ...]:
    found = []
    for number in told["attachments"]:
        part = told["parts"][number]
        ((kind, value),) = part["body"].items() if isinstance(part["body"], dict) else ((part["body"], None),)
        if kind == "Multipart" or _json_type(part) == "multipart":
            continue  # a multipart without parts is listed there; it is no file
        size = len(value) if kind in ("Binary", "InlineBinary") else None
        found.append((_json_name(part), size))
    return tuple(found)


def _json_type(part: dict[str, Any]) -> str | None:
    for one in part["headers"]:
        if one["name"] == "content_type" and isinstance(one["value"], dict) and "ContentType" in one["value"]:
            return str(one["value"]["ContentType"]["c_type"]).lower()
    return None


def _json_name(part: dict[str, Any]) -> str | None:
    for header, attribute in (("content_disposition", "filename"), ("content_type", "name")):
        for one in part["headers"]:
            if one["name"] != header or not isinstance(one["value"], dict) or "ContentType" not in one["value"]:
                continue
            for given in one["value"]["ContentType"]["attributes"] or ():
                if given["name"] == attribute:
                    return str(given["value"])
    return None


def mime4j(root: Path) -> Iterator[tuple[Path, Expected]]:
    """`_decoded.xml` beside `.msg`: the tree with raw fields, its leaves decoded in files of their own. The fields
    are decoded by the standard library here, as a second opinion."""
    for path in sorted(root.rglob("*.msg")):
        told = path.with_name(f"{path.stem}_decoded.xml")
        if not told.exists():
            continue
        try:
            tree = ET.fromstring(re.sub(rb"&#x?0*[0-9a-fA-F]{1,2};", b" ", told.read_bytes()))
        except ET.ParseError:
            continue  # holds characters that XML forbids
        yield path, _from_xml(tree, path.parent)


def _from_xml(tree: ET.Element, folder: Path) -> Expected:
    fields = _xml_fields(tree)
    name, address = email.utils.parseaddr(fields["from"]) if "from" in fields else ("", "")
    if "@" not in address:  # a word without a domain names somebody, but is no address
        name, address = name or address, ""
    subject = _opinion(fields["subject"]) if "subject" in fields else ""
    leaves = list(_leaves(tree, folder))
    texts = [leaf for leaf in leaves if leaf.is_text]
    files = tuple((leaf.name, leaf.size) for leaf in leaves if not leaf.is_text)
    text = "\n".join(leaf.text for leaf in texts) if all(leaf.kind == "text/plain" for leaf in texts) else None
    sender = _person(_opinion(name), address) if name or address else None
    return Expected(subject, sender, text if text is not None and text.strip() else None, files)


@dataclass(frozen=True)
class _Leaf:
    kind: str
    name: str | None
    size: int | None
    is_text: bool
    text: str = ""


def _leaves(node: ET.Element, folder: Path, parent: str = "", index: int = 0, top: bool = True) -> Iterator[_Leaf]:
    fields = _xml_fields(node)
    kind = re.match(r"[\w.+-]+/[\w.+-]+", fields.get("content-type", "").strip().lower())
    media = kind[0] if kind else "message/rfc822" if parent == "multipart/digest" else "text/plain"
    name = _xml_name(fields)
    parts = node.find("multipart")
    body = next((child for child in node if child.tag in ("text-body", "binary-body")), None)
    if parts is not None:
        children = [child for child in parts if child.tag == "body-part"]
        below = [list(_leaves(child, folder, media, place, top=False)) for place, child in enumerate(children)]
        yield from _first_text(below) if media == "multipart/alternative" else (leaf for each in below for leaf in each)
    elif node.find("message") is not None:
        yield _Leaf("message/rfc822", name, None, is_text=False)
    elif body is not None:
        content = (folder / body.attrib["name"]).read_bytes()
        attached = fields.get("content-disposition", "").strip().lower().startswith("attachment")
        is_text = media in ("text/plain", "text/html") and (top or not (attached or (name and index)))
        label = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", fields.get("content-type", ""), re.IGNORECASE)
        if is_text or content or name:
            text = charsets.clean(_with_label(content, label[1] if label else None))
            yield _Leaf(media, name, len(content), is_text, text)


def _first_text(alternatives: list[list[_Leaf]]) -> Iterator[_Leaf]:
    """Of what says the same only the first plain text, else the first text; and every file."""
    texts = [leaf for each in alternatives for leaf in each if leaf.is_text and leaf.text.strip()]
    chosen = next((leaf for leaf in texts if leaf.kind == "text/plain"), texts[0] if texts else None)
    yield from (leaf for each in alternatives for leaf in each if leaf is chosen or not leaf.is_text)


def _with_label(content: bytes, label: str | None) -> str:
    try:
        return content.decode(label or "ascii")
    except (LookupError, UnicodeDecodeError):
        return charsets.decode(content, label).text


def _xml_fields(node: ET.Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in node.findall("header/field"):
        name, colon, value = (one.text or "").lstrip("\r\n").partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _xml_name(fields: dict[str, str]) -> str | None:
    """Only the plain form; None where RFC 2231 or 2047 is at work, for the size alone then tells."""
    for header, attribute in (("content-disposition", "filename"), ("content-type", "name")):
        match = re.search(rf"\b{attribute}\s*=\s*(?:\"([^\"]*)\"|([^\s;\"]+))", fields.get(header, ""), re.IGNORECASE)
        if match:
            name = match[1] if match[1] is not None else match[2]
            return _opinion(name) if name.isascii() and "\\" not in name else None
    return None


def _opinion(raw: str) -> str:
    unfolded = re.sub(r"\s*[\r\n]+\s*", " ", raw)
    try:
        return str(email.header.make_header(email.header.decode_header(unfolded)))
    except (LookupError, UnicodeError, ValueError, email.errors.HeaderParseError):
        return unfolded


def _person(name: str, address: str) -> str:
    return squeezed(f"{name}<{address}>".replace('"', ""))


SETS: dict[str, Callable[[Path], Iterator[tuple[Path, Expected]]]] = {
    "mime4j": mime4j,
    "stalwart": stalwart,
    "stalwart malformed": malformed,
}


def _same(wanted: str, got: str | None) -> bool:
    """U+FFFD in what others read is a character that they lost: any character of ours agrees with it."""
    if got is None:
        return False
    pattern = "[^\\s]{1,4}".join(map(re.escape, re.split("\ufffd+", squeezed(charsets.clean(wanted)))))
    return squeezed(got) == squeezed(wanted) or re.fullmatch(pattern, squeezed(got)) is not None


def agreement(name: str, root: Path = DATA) -> Agreement:
    """The comparison over the set `name`."""
    found = Agreement()
    folder = root / name.split()[0]
    for path, expected in SETS[name](folder):
        _compare(path.relative_to(folder).as_posix(), _mail(path.read_bytes()), expected, found)
    return found


def _mail(content: bytes) -> Mail | None:
    try:
        return message.read_bytes(content)
    except Rejected:
        return None


def _compare(file: str, mail: Mail | None, expected: Expected, found: Agreement) -> None:
    said_nothing = not (expected.subject or (expected.text or "").strip() or expected.attachments)
    if mail is None and said_nothing:
        return  # an empty mail to them and to us
    checks: dict[str, tuple[bool, object, object]] = {}
    if expected.subject is not None:
        ours = mail.subject if mail else None
        checks["subject"] = (_same(expected.subject, ours), expected.subject, ours)
    if expected.sender is not None:
        ours = _person(mail.from_.name, mail.from_.address) if mail and mail.from_ else None
        checks["sender"] = (ours == expected.sender, expected.sender, ours)
    if expected.text is not None:
        ours = mail.text if mail else None
        checks["text"] = (_same(expected.text, ours), expected.text, ours)
    if expected.attachments is not None:
        files = tuple((one.name, len(one.content)) for one in mail.attachments) if mail else ()
        checks["attachments"] = (_same_files(expected.attachments, files), expected.attachments, files)
    for name, (same, wanted, got) in checks.items():
        found.asked[name] += 1
        found.agreed[name] += same
        if not same:
            found.differences.append((file, name, repr(wanted)[:600], repr(got)[:600]))


def _same_files(expected: tuple[tuple[str | None, int | None], ...], files: tuple[tuple[str, int], ...]) -> bool:
    """One of ours for each of theirs, in order: the same name where they know one, the same size where they do."""
    return len(expected) == len(files) and all(
        (name is None or _same(name, ours)) and (size is None or size == length)
        for (name, size), (ours, length) in zip(expected, files, strict=True)
    )


def reasons() -> dict[str, dict[str, str]]:
    """Per set: `file field` and why we read it otherwise."""
    return tomllib.loads(REASONS.read_text("utf-8"))


def table() -> str:
    """Markdown: per set and field the mails compared, those that agree, and every difference with its reason. The
    last column leaves out mail whose expected result loses or garbles content (the reason says "Theirs")."""
    lines = ["| set | field | compared | agree | % | % of sound results |", "|---|---|---|---|---|---|"]
    why: list[str] = []
    known = reasons()
    for name in SETS:
        found = agreement(name)
        unsound: Counter[str] = Counter()
        for file, one, _, _ in found.differences:
            reason = known.get(name, {}).get(f"{file} {one}", "not looked into")
            unsound[one] += reason.startswith("Theirs")
            why.append(f"| {name} | {file} | {one} | {reason} |")
        for one in FIELDS:
            asked, agreed = found.asked[one], found.agreed[one]
            sound = 100 * agreed / max(asked - unsound[one], 1)
            lines.append(f"| {name} | {one} | {asked} | {agreed} | {100 * agreed / max(asked, 1):.1f} | {sound:.1f} |")
    return "\n".join([*lines, "", "| set | file | field | why it differs |", "|---|---|---|---|", *why])


if __name__ == "__main__":
    print(table())
    if "-v" in sys.argv:
        for each in SETS:
            for difference in agreement(each).differences:
                print("\n", each, *difference, sep="\n  ")
