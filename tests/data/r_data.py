"""Reads data frames of an R package (its lazy-load database, data/Rdata.rdx and .rdb) without R."""

import bz2
import gzip
import lzma
import struct
import zlib


class _Reader:
    """R's serialization, version 2 or 3, in XDR (R Internals, 1.8); only what data frames are made of."""

    def __init__(self, data):
        self.data, self.at, self.symbols = data, 2, []
        if data[:2] != b"X\n":
            raise ValueError("not R's binary format")
        version = self.ints(3)[0]
        if version == 3:
            self.take(self.ints(1)[0])  # its encoding

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def ints(self, count):
        return struct.unpack(">%di" % count, self.take(4 * count))

    def item(self):
        flags = self.ints(1)[0]
        kind, has_attributes, has_tag = flags & 0xFF, flags & 0x200, flags & 0x400
        if kind == 254:  # nothing
            return None
        if kind == 255:  # a symbol that was there before
            index = flags >> 8 or self.ints(1)[0]
            return self.symbols[index - 1]
        if kind == 1:
            self.symbols.append(self.item())
            return self.symbols[-1]
        if kind == 2:  # a pair list
            pairs = {}
            while kind == 2:
                if has_attributes:
                    self.item()
                tag = self.item() if has_tag else str(len(pairs))
                pairs[tag] = self.item()
                flags = self.ints(1)[0]
                kind, has_attributes, has_tag = flags & 0xFF, flags & 0x200, flags & 0x400
            return pairs
        if kind == 9:
            size = self.ints(1)[0]
            return None if size < 0 else self.take(size).decode()
        if kind == 238:  # another representation: its class, state and attributes
            name, state = self.item()["0"], self.item()
            self.item()
            if name == "compact_intseq":
                count, first, step = state[0]
                return [int(first + i * step) for i in range(int(count))], {}
            return state["0"] if isinstance(state, dict) else state[0]
        size = self.ints(1)[0]
        if kind in (10, 13):
            values = list(self.ints(size))
        elif kind == 14:
            values = list(struct.unpack(">%dd" % size, self.take(8 * size)))
        elif kind in (16, 19):
            values = [self.item() for _ in range(size)]
        else:
            raise ValueError("R type %d" % kind)
        return values, (self.item() if has_attributes else {})


def _unpack(block):
    size, packed = struct.unpack(">I", block[:4])[0], block[4:]
    if packed[:1] == b"2":
        data = bz2.decompress(packed[1:])
    elif packed[:1] == b"Z":
        data = lzma.decompress(packed[1:], lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])
    else:
        data = zlib.decompress(packed)
    if len(data) != size:
        raise ValueError("a block of %d bytes, not %d" % (len(data), size))
    return data


def read_frame(folder, name):
    """The columns of a data frame by name, factors as their levels."""
    with gzip.open(folder + "/Rdata.rdx") as packed:
        values, attributes = _Reader(packed.read()).item()
    variables, names = dict(zip(attributes["names"][0], values))["variables"]
    (offset, size), _ = dict(zip(names["names"][0], variables))[name]
    with open(folder + "/Rdata.rdb", "rb") as database:
        database.seek(offset)
        columns, attributes = _Reader(_unpack(database.read(size))).item()
    frame = {}
    for key, (column, about) in zip(attributes["names"][0], columns):
        levels = about.get("levels")
        frame[key] = [levels[0][value - 1] for value in column] if levels else column
    return frame
