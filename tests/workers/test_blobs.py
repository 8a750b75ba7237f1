"""Blobs: durable before they are named."""

from __future__ import annotations

from datetime import date

from workers import blobs
from workers.blobs import Blobs


def test_a_blob_that_is_there_already_is_on_disk_too_before_it_is_named(tmp_path, monkeypatch):
    """Another process may have put it in place a moment ago and not have synced the directory yet."""
    store, day = Blobs(tmp_path), date(2026, 1, 15)
    first = store.put(b"x", day)
    synced = []
    monkeypatch.setattr(blobs, "sync_directory", synced.append)
    assert store.put(b"x", day) == first
    assert synced == [tmp_path / "2026/01/15"]
