"""Where a ticket's events are delivered to: one type a file. May not know RQ, the ticket store or gateway."""
