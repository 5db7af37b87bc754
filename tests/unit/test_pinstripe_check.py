"""pinstripe-check against journals written here, byte by byte as docs/FORMATS.md says, by code that
shares nothing with the server. Usage: test_pinstripe_check.py PATH_OF_PINSTRIPE_CHECK"""
import os
import struct
import subprocess
import sys
import tempfile
import unittest

TOOL = None
BLOCK = 4096
CAPACITY = 16 * BLOCK


def crc_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    return table


TABLE = crc_table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def segment_header(number, first_lsn, incarnation, salt, state=2):
    before = b"JRNLSEG\n" + struct.pack("<HH", 1, state)
    after = struct.pack("<QQQII", number, first_lsn, CAPACITY, incarnation, salt)
    after += bytes(BLOCK - 16 - len(after))
    return before + struct.pack("<I", crc32c(before + after)) + after


def batch(number, first_lsn, incarnation, salt, records, flags=1):
    payload = b"".join(varint(len(r)) + r for r in records)
    before = b"JRBH" + struct.pack("<HH", 1, flags)
    after = struct.pack("<IIIQQQ", crc32c(payload, salt), len(records), incarnation, len(payload),
                        number, first_lsn)
    whole = before + struct.pack("<I", crc32c(before + after, salt)) + after + payload
    return whole + bytes(-len(whole) % BLOCK)


def segment(number, first_lsn, batches, incarnation=1, salt=99):
    out = segment_header(number, first_lsn, incarnation, salt)
    for records in batches:
        out += batch(number, first_lsn, incarnation, salt, records)
        first_lsn += len(records)
    return out + bytes(CAPACITY - len(out))


class Check(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.data = self.tmp.name
        self.dir = os.path.join(self.data, "default", "0", "journal")
        os.makedirs(self.dir)
        self.put(1, segment(1, 1, [[b"one", b"two"], [b"x" * 5000]]))
        self.put(2, segment(2, 4, [[b"four"], [b"", b"six"], [b"seven"]], incarnation=2, salt=7))

    def tearDown(self):
        self.tmp.cleanup()

    def path(self, number):
        return os.path.join(self.dir, "%020d.journal" % number)

    def put(self, number, data):
        with open(self.path(number), "wb") as f:
            f.write(data)

    def flip(self, number, offset):
        with open(self.path(number), "r+b") as f:
            f.seek(offset)
            byte = f.read(1)[0]
            f.seek(offset)
            f.write(bytes([byte ^ 1]))

    def run_tool(self, *args, stdin=""):
        r = subprocess.run([TOOL, *args, self.data], input=stdin, capture_output=True, text=True)
        return r.returncode, r.stdout + r.stderr

    def test_whole(self):
        code, out = self.run_tool("--verbose")
        self.assertEqual(code, 0, out)
        self.assertIn("7 records, LSN 1 to 7, 5 batches, 24576 bytes, 2 segments", out)
        self.assertIn("from LSN 4, incarnation 2", out)

    def test_torn_tail(self):
        self.flip(2, 3 * BLOCK + 50)
        code, out = self.run_tool()
        self.assertEqual(code, 0, out)
        self.assertIn("LSN 1 to 6", out)
        self.assertIn("torn tail: 4096 bytes in %020d.journal from offset 12288" % 2, out)
        code, out = self.run_tool("--cut", "--yes")
        self.assertEqual(code, 0, out)
        code, out = self.run_tool()
        self.assertNotIn("torn", out)

    def test_damage(self):
        self.flip(2, 2 * BLOCK + 50)
        code, out = self.run_tool()
        self.assertEqual(code, 1, out)
        self.assertIn("%020d.journal at offset 8192: " % 2, out)
        self.assertIn("up to LSN 4 can be read", out)

    def test_cut_asks(self):
        self.flip(1, BLOCK + 49)
        code, out = self.run_tool("--cut", stdin="n\n")
        self.assertEqual(code, 1, out)
        code, out = self.run_tool("--cut", stdin="")
        self.assertEqual(code, 1, out)
        self.assertFalse([n for n in os.listdir(self.dir) if n.endswith(".cut")])
        code, out = self.run_tool("--cut", stdin="y\n")
        self.assertEqual(code, 0, out)
        self.assertIn("no records, LSN 1 is next", out)
        self.assertEqual(len([n for n in os.listdir(self.dir) if n.endswith(".cut")]), 2)
        code, out = self.run_tool()
        self.assertEqual(code, 0, out)

    def test_all_journals_are_checked(self):
        other = os.path.join(self.data, "stock", "3", "journal")
        os.makedirs(other)
        os.rename(self.path(2), os.path.join(other, "%020d.journal" % 2))
        self.flip(1, 17)
        code, out = self.run_tool()
        self.assertEqual(code, 1, out)
        self.assertIn("default/0/journal: DAMAGED", out)
        self.assertIn("stock/3/journal: 4 records, LSN 4 to 7", out)

    def test_no_cut_under_a_running_server(self):
        import fcntl
        fd = os.open(self.dir, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        self.flip(1, BLOCK + 49)
        code, out = self.run_tool("--cut", "--yes")
        os.close(fd)
        self.assertEqual(code, 2, out)
        self.assertIn("in use by a running server", out)
        self.assertIn("stop it first", out)

    def test_misuse(self):
        self.assertEqual(self.run_tool("--yes")[0], 2)
        self.assertEqual(self.run_tool("--nonsense")[0], 2)
        self.data = self.tmp.name + "/none"
        code, out = self.run_tool()
        self.assertEqual(code, 2)
        self.assertIn("No such file", out)


if __name__ == "__main__":
    TOOL = sys.argv.pop(1)
    unittest.main()
