"""The version of this package, where everything below its face can look it up."""

__version__ = "0.1.0"
