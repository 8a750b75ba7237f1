"""`jiesu` and `python -m gateway`."""

from __future__ import annotations


def main() -> None:
    """The command line."""
    from gateway.cli.app import app

    app()


if __name__ == "__main__":
    main()
