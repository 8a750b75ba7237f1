"""Small mails, one for every shape that a mail may have, and the words that mail is made of: where a fuzzer starts."""

from __future__ import annotations

from typing import Final

_HEAD = (
    b"From: =?utf-8?B?5byg5LiJ?= <zhang@citizen.example>\nTo: hotline@hotline.example\nSubject: =?gb2312?B?wre1xg==?=\n"
)
_MIXED = _HEAD + b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"

SEEDS: Final = (
    _HEAD + b"Message-ID: <a@citizen.example>\nDate: Mon, 23 Nov 2026 09:30:00 +0800\n\n\xe8\xb7\xaf\xe7\x81\xaf\n",
    _HEAD + b"Content-Type: text/plain; charset=gb2312\n\n\xc2\xb7\xb5\xc6\x96\x7c\n",
    b"From: \xd5\xc5\xc8\xfd <z@citizen.example>\nSubject: \xc2\xb7\xb5\xc6\n\n\xc2\xb7\xb5\xc6\xbb\xb5\xc1\xcb\n",
    _HEAD
    + b"Content-Type: text/html; charset=utf-8\n\n<p>a<blockquote type=cite>b<blockquote>c</blockquote></blockquote>d"
    b"<table><tr><td>1<td>2<tr><td>3<td>4</table><div class=gmail_quote>On 3 May 2026, A wrote:<br>x</div>",
    _HEAD + b"Content-Type: text/plain; format=flowed; delsp=yes\n\none \ntwo\n> quoted \n> more\n\n-- \nname\n",
    _HEAD + b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n6Lev54Gv5Z2P5LqG\n",
    _HEAD + b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=E8=B7=AF=\n=\n",
    _HEAD + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n#86)C\n`\nend\n",
    _MIXED + b"--b\n\ntext\n--b\nContent-Type: image/png; name*=gb2312''%B1%A8%B8%E6.png\n\n\x89PNG\r\n\x1a\n\n--b--\n",
    _MIXED + b"--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nplain\n--c\nContent-Type: text/html\n\n"
    b"<b>page</b>\n--c--\n--b\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\nSUMMARY:s\\, t\nEND:VCALENDAR\n--b--\n",
    _MIXED + b"--b\nContent-Type: message/rfc822\n\nFrom: a@b\nSubject: inner\n\ninner text\n--b--\n",
    _MIXED + b"--b\nContent-Disposition: attachment; filename*0=\"a\"; filename*1*=utf-8''%62; size=3\n\nxyz\n--b--\n",
    _MIXED + b"--b\nContent-Type: application/ms-tnef; name=winmail.dat\n\nx\x9f\x3e\x22\x01\x00\x02\x02\x90\x06\x00"
    b"\x0e\x00\x00\x00\x01\x00\xff\xff\xff\xff\x20\x00\x20\x00\x00\x00\x00\x00\x3d\x04\n--b--\n",
    _HEAD + b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nFrom: a@b\nSubject: one\n\nfirst\n--b--\n",
    _HEAD + b"Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<img src=cid:a>x\n--b--\n",
    _HEAD + b"Content-Type: multipart/signed; boundary=b\n\n--b\n\nsigned\n--b\nContent-Type: "
    b"application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n--b--\n",
    _HEAD + b"Content-Type: multipart/encrypted; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\n"
    b"Version: 1\n--b\nContent-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n--b--\n",
    _HEAD
    + b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\nMIIB\n",
    _HEAD + b"Content-Type: multipart/mixed\n\n--lost\nContent-Type: text/plain\n\ntext\n--lost--\n",
    _HEAD + b"\n-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----\n",
    _HEAD
    + b"In-Reply-To: <r@x>\n\nanswer\n\nOn Mon, 23 Nov 2026 at 9:30, A <a@b.example> wrote:\n> question\n>> older\n",
    _HEAD + b"\n\xe6\x82\xa8\xe5\xa5\xbd\n\n------------------ \xe5\x8e\x9f\xe5\xa7\x8b\xe9\x82\xae\xe4\xbb\xb6 "
    b"------------------\n\xe5\x8f\x91\xe4\xbb\xb6\xe4\xba\xba: a@b\n\xe4\xb8\xbb\xe9\xa2\x98: c\n\nold\n",
    b"MAIL a@b.example\nRCPT @SIGNED@ hotline@hotline.example\n" + _HEAD + b"\nby address\n",
    b"MAIL a@b.example\n" + _HEAD + b"To: <@SIGNED@>\nIn-Reply-To: @OURS@\nReferences: @FOREIGN@ @OURS@\n\nby id\n",
    b'MAIL a@b.example\nAUTH {"spf":"pass","dkim":"none"}\n' + _HEAD + b"\nwith marks\n",
    b"MAIL \n" + _HEAD + b"Subject: [#@NUMBER@]\nAuto-Submitted: auto-replied\n\nI am out of office\n",
    b"MAIL \nFrom: MAILER-DAEMON@relay.example\nSubject: Undelivered\nContent-Type: multipart/report; "
    b"report-type=delivery-status; boundary=b\n\n--b\n\nfailed\n--b\nContent-Type: message/delivery-status\n\n"
    b"Reporting-MTA: dns; relay\n\nFinal-Recipient: rfc822; z@c.example\nAction: failed\nStatus: 5.1.1\n\n"
    b"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: @OURS@\n\n--b--\n",
    _HEAD + b"List-Id: <l.example>\nPrecedence: bulk\nX-Autoreply: yes\n\nnews\n",
    _HEAD + b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nread\n--b\n"
    b"Content-Type: message/disposition-notification\n\n"
    b"Disposition: automatic-action/MDN-sent-automatically; displayed\n--b--\n",
    b"words without any head\n\xff\x00\n",
    b"Subject: only this\n\n",
    b"",
)

TOKENS: Final = (
    *b"From: |To: |Cc: |Reply-To: |Sender: |Return-Path: |Subject: |Date: |Message-ID: |In-Reply-To: |References: "
    b"|Content-Type: |Content-Disposition: attachment; filename=|Content-Transfer-Encoding: |MIME-Version: 1.0"
    b"|base64|quoted-printable|x-uuencode|8bit|7bit|text/plain|text/html|text/calendar|message/rfc822"
    b"|message/delivery-status|message/partial|application/ms-tnef|application/pkcs7-mime|multipart/mixed; boundary="
    b"|multipart/alternative; boundary=|multipart/digest|multipart/report|multipart/signed|multipart/encrypted"
    b"|; charset=|gb2312|gbk|gb18030|utf-8|utf-7|utf-16|big5|iso-2022-jp|hz-gb-2312|hz|unknown-8bit|idna|punycode"
    b"|unicode_escape|rot13|hex|; name*0*=|; name*1*=|; filename*=utf-8''%|=?utf-8?B?|=?gb2312?Q?|?=|winmail.dat"
    b"|Auto-Submitted: auto-replied|List-Id: |Precedence: bulk|X-QQ-|[#|-----BEGIN PGP MESSAGE-----"
    b"|begin 644 a|x\x9f\x3e\x22|<blockquote type=cite>|</blockquote>|<div class=gmail_quote>|<table><tr><td>"
    b"|<pre>|&#0;|&#xd800;|<!--|<![CDATA[|> |>> | wrote:|-- |\x1b$B|~{|\xff\xfe|\xef\xbb\xbf|\x84\x31\xa4\x37".split(
        b"|"
    ),
    b"\n--b\n",
    b"\n--b--\n",
    b"\r\n\r\n",
    b"MAIL ",
    b"RCPT ",
    b"AUTH ",
)
