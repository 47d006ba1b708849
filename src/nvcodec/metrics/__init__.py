"""How quality is measured."""
