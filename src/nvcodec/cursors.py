"""Bytes from front to back, and varints: what the container and all schemes are read with."""

from nvcodec.errors import MalformedError

MAX_VARINT = (1 << 63) - 1
MAX_VARINT_BYTES = 9


def pack_varint(value: int) -> bytes:
    """An integer from 0 to 2^63 - 1 as LEB128, shortest form: 7 bits a byte, lowest first."""
    if not 0 <= value <= MAX_VARINT:
        raise ValueError(f"a varint holds 0 to 2^63 - 1, got {value}")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def pack_text(text: str) -> bytes:
    """Its size, then UTF-8; what cannot be printed becomes "?"."""
    word = "".join(c if c.isprintable() else "?" for c in text).encode(errors="replace")
    return pack_varint(len(word)) + word


class Cursor:
    """Reads bytes from front to back; whatever does not fit is a MalformedError."""

    def __init__(self, data: bytes, where: str) -> None:
        self._view = memoryview(data)
        self._position = 0
        self.where = where

    @property
    def num_left(self) -> int:
        """Bytes not yet read."""
        return len(self._view) - self._position

    def take(self, size: int, what: str = "") -> bytes:
        """The next `size` bytes."""
        if size > self.num_left:
            raise MalformedError(
                f"{self._place(what)}: {size:,} bytes declared, {self.num_left:,} left"
            )
        start, self._position = self._position, self._position + size
        return bytes(self._view[start : self._position])

    def rest(self) -> bytes:
        """All bytes not yet read."""
        return self.take(self.num_left)

    def varint(self, what: str = "") -> int:
        """The next varint, in its shortest form."""
        value = 0
        for count in range(MAX_VARINT_BYTES):
            byte = self.take(1, what)[0]
            value |= (byte & 0x7F) << (7 * count)
            if byte < 0x80:
                if byte == 0 and count > 0:
                    raise MalformedError(f"{self._place(what)}: varint not in its shortest form")
                return value
        raise MalformedError(f"{self._place(what)}: varint of more than {MAX_VARINT_BYTES} bytes")

    def text(self, what: str = "") -> str:
        """The next text, which `pack_text` packs; printable or not."""
        return self.take(self.varint(what), what).decode(errors="replace")

    def finish(self) -> None:
        """Check that nothing is left."""
        if self.num_left:
            raise MalformedError(f"{self.where}: {self.num_left:,} bytes left over, 0 allowed")

    def _place(self, what: str) -> str:
        return f"{self.where}, {what}" if what else self.where
