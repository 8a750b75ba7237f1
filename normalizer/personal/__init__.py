"""Data of people in running text: telephone numbers, mail addresses, identity documents, bank cards, stated names.

Only finds and masks. May not decide whom to call back (steps/contact.py), nor keep what it read.
"""

from normalizer.personal.data import Datum, Kind, find, mask

__all__ = ["Datum", "Kind", "find", "mask"]
