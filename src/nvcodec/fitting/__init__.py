"""Everything that happens only while encoding."""
