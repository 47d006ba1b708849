"""A file name is a registration: each file without a leading underscore is a name.

Names that arrive from users or files are looked up among existing files only, so that no other
module can be loaded.
"""

import importlib
import pkgutil
from typing import TypeVar

T = TypeVar("T")


class UnknownNameError(KeyError):
    """A name that is no file in a package."""

    def __init__(self, what: str, name: str, known: list[str]) -> None:
        super().__init__(f"{what} {name!r}; known: {', '.join(known)}")
        self.name = name
        self.known = known


def names(package: str) -> list[str]:
    """Names registered in a package, sorted; imports the package but none of its modules."""
    path = importlib.import_module(package).__path__
    return sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))


def load(package: str, name: str, base: type[T]) -> type[T]:
    """The subclass of `base` that the module called `name` in `package` defines.

    Raises:
        UnknownNameError: `name` is not a file in that package; it lists the names that are.
    """
    known = names(package)
    if name not in known:
        raise UnknownNameError(f"{base.__name__} of kind", name, known)
    module = importlib.import_module(f"{package}.{name}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define one {base.__name__}, found {len(found)}")
    return found[0]
