"""When something happened, as Chinese texts say it: a moment, a span, a recurrence. May not read a clock."""

from normalizer.when.reading import Reading, read

__all__ = ["Reading", "read"]
