"""Reading the ticket store."""

from __future__ import annotations

from workers.connect import connect_async
from workers.store import Store


async def test_every_ticket_is_found_once_though_scan_names_keys_twice(valkey, queue, make_item, monkeypatch):
    """SCAN does, while its table grows."""
    queue.enqueue([make_item("a"), make_item("b", sequence=2)])
    async with connect_async(valkey.config, valkey.directory) as client:
        scan = client.scan_iter

        async def twice(*args, **kwargs):
            for _ in range(2):
                async for key in scan(*args, **kwargs):
                    yield key

        monkeypatch.setattr(client, "scan_iter", twice)
        found = [record.number async for record in Store(client, domain="hotline.example").scan()]
    assert len(found) == len(set(found)) == 2
