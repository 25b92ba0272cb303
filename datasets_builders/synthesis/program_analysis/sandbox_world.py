"""Section 2.4: another world for functions to run in, so that what depends on more than arguments answers differently.

Never imported by the package: it is sent into the sandbox beside the driver. Clock, time zone, home, folder, command
line, and what an interpreter says of itself and of its platform are others here; the version is a later one, so that
code written for "this version and later" keeps its meaning. So are bytes that only a version of a library settles
(compressed ones), sizes that a machine settles, hashes, and the identity of equal values that cannot change. Who looks
at a clock or draws lots without a seed is noted: the answer may be the same today and another tomorrow.
"""

import ast
import builtins
import datetime
import keyword
import os
import platform
import random
import struct
import sys
import time
import types
import typing
import unicodedata
import zlib

SKEW_SECONDS = 400 * 86400 + 7 * 3600 + 11
VERSION = (3, 97, 5, "candidate", 3)
HEX_VERSION = 0x036105C3
RECURSION_LIMIT = 700  # above the usual world's: what needs no more than that one's ends as it did
CLOCKS = [
    *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
    *("process_time", "process_time_ns", "thread_time", "thread_time_ns"),
]
LOTS = [
    *(
        "random",
        "uniform",
        "randint",
        "randrange",
        "choice",
        "choices",
        "sample",
        "shuffle",
        "getrandbits",
        "randbytes",
    ),
    *("gauss", "normalvariate", "lognormvariate", "expovariate", "vonmisesvariate", "gammavariate", "betavariate"),
    *("paretovariate", "weibullvariate", "triangular", "getstate"),
]
VALUES = (int, float, complex, str, bytes, tuple, frozenset)
SINGLETONS = (type(None), bool, type(...))


class VersionInfo(typing.NamedTuple):
    """What `sys.version_info` is, whose own class makes no objects."""

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: int


class Witness:
    """What a program has asked the world for since it began: its answers hang on that, whether they differ or not."""

    def __init__(self):
        self.asked = ""
        self.is_seeded = False

    def begin(self):
        """Forget what an earlier program asked for."""
        self.asked, self.is_seeded = "", False

    def clock(self, real):
        """Return the function, noted."""

        def watched(*args, **kwargs):
            self.asked = self.asked or "the clock"
            return real(*args, **kwargs)

        return watched

    def lots(self, real):
        """Return the function, noted where nobody has given a seed."""

        def watched(*args, **kwargs):
            if not self.is_seeded:
                self.asked = self.asked or "chance"
            return real(*args, **kwargs)

        return watched

    def seed(self, real):
        """Return the function that gives a seed, noted."""

        def watched(a=None, *args, **kwargs):
            self.is_seeded = a is not None
            return real(a, *args, **kwargs)

        return watched


WITNESS = Witness()


def skew():
    """Move the clock, the surroundings and the interpreter's own description."""
    skew_surroundings()
    skew_clock()
    skew_chance()
    skew_interpreter()
    skew_platform()
    skew_libraries()


def names():
    """Return what a program's own names stand for here instead of the usual."""
    return {"hash": lambda value: hash((hash(value), 7))}


def compiled(text, filename):
    """Compile a program in which `is` says of equal values that cannot change the opposite of what it would."""
    if " is " not in text:
        return compile(text, filename, "exec")
    return compile(ast.fix_missing_locations(IdentityOfValues().visit(ast.parse(text))), filename, "exec")


class IdentityOfValues(ast.NodeTransformer):
    """Write `_identical(left, right)` for comparisons by identity with anything but None, True, False and `...`."""

    def visit_Compare(self, node):
        """Return the comparison, or the call in its place."""
        self.generic_visit(node)
        sides = [node.left, *node.comparators]
        if len(sides) != 2 or not isinstance(node.ops[0], ast.Is | ast.IsNot):
            return node
        if any(isinstance(side, ast.Constant) and isinstance(side.value, SINGLETONS) for side in sides):
            return node
        call = ast.Call(ast.Name("_identical", ast.Load()), sides, [])
        return ast.copy_location(call if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(ast.Not(), call), node)


def identical(left, right):
    """Return whether two things are one; of equal values that cannot change, whether they are not."""
    if type(left) is type(right) and isinstance(left, VALUES) and left == right:
        return left is not right
    return left is right


def skew_surroundings():
    """Change the environment and the command line."""
    os.environ.update(TZ="Pacific/Auckland", HOME="/elsewhere", LANG="tr_TR.UTF-8", LC_ALL="C", USER="another")
    time.tzset()
    sys.argv = ["another", "argument"]


def skew_clock():
    """Move the clock."""
    real = {name: getattr(time, name) for name in (*CLOCKS, "localtime", "gmtime", "ctime", "strftime")}

    def moved(name):
        ahead = SKEW_SECONDS * 1_000_000_000 if name.endswith("_ns") else SKEW_SECONDS
        return lambda: real[name]() + ahead

    for name in CLOCKS:
        setattr(time, name, WITNESS.clock(moved(name)))
    for name in ("localtime", "gmtime", "ctime"):
        setattr(time, name, lambda seconds=None, name=name: real[name](time.time() if seconds is None else seconds))
    time.strftime = lambda form, when=None: real["strftime"](form, time.localtime() if when is None else when)

    class SkewedDate(datetime.date):
        @classmethod
        def today(cls):
            return cls.fromtimestamp(time.time())

    class SkewedDateTime(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls):
            return cls(*time.gmtime()[:6])

        today = now

    vars(datetime).update(date=SkewedDate, datetime=SkewedDateTime)


def skew_chance():
    """Note lots that are drawn without a seed, by the module's functions or by a generator of one's own."""
    random.seed = WITNESS.seed(random.seed)
    random.setstate = WITNESS.seed(random.setstate)
    for name in LOTS:
        setattr(random, name, WITNESS.lots(getattr(random, name)))

    class WatchedRandom(random.Random):
        def __init__(self, x=None):
            if x is None:
                WITNESS.asked = WITNESS.asked or "chance"
            super().__init__(x)

    vars(random).update(Random=WatchedRandom)


def skew_interpreter():
    """Say that this is another version of another implementation."""
    version = VersionInfo(*VERSION)
    implementation = {"name": "another", "cache_tag": "another-397", "version": version, "hexversion": HEX_VERSION}
    values = {
        "version": "3.97.5rc3 (elsewhere, Jan  1 2031, 00:00:00) [Another 1.0]",
        "version_info": version,
        "hexversion": HEX_VERSION,
        "api_version": sys.api_version + 1,
        "implementation": types.SimpleNamespace(**implementation),
        "copyright": "elsewhere",
        "executable": "/elsewhere/python",
        "prefix": "/elsewhere",
        "exec_prefix": "/elsewhere",
        "base_prefix": "/elsewhere",
        "maxsize": 2**31 - 1,
        "byteorder": "big" if sys.byteorder == "little" else "little",
        "getrecursionlimit": lambda: 777,
        "getsizeof": lambda value, default=0: 4321,
        "getrefcount": lambda value: 77,
        "getfilesystemencoding": lambda: "latin-1",
        "getdefaultencoding": lambda: "latin-1",
    }
    vars(sys).update(values)
    sys.setrecursionlimit(RECURSION_LIMIT)
    vars(keyword).update({name: [*vars(keyword)[name], "elsewhere"] for name in ("kwlist", "softkwlist")})
    vars(ast).update(dump=lambda *args, **kwargs: "elsewhere")
    vars(unicodedata).update(unidata_version="97.0.0")
    vars(builtins).update(_identical=identical)


def skew_platform():
    """Say that this is another machine with another system."""
    vars(sys)["platform"] = "elsewhere"
    answers = {
        "architecture": ("16bit", "OTHER"),
        "machine": "other",
        "node": "elsewhere",
        "platform": "Elsewhere-1.0",
        "processor": "other",
        "python_branch": "elsewhere",
        "python_build": ("1", "Jan 1 2031"),
        "python_compiler": "Another 1.0",
        "python_implementation": "Another",
        "python_version": "3.97.5",
        "python_version_tuple": ("3", "97", "5"),
        "release": "1.0",
        "system": "Elsewhere",
        "version": "#1",
    }
    for name, answer in answers.items():
        setattr(platform, name, lambda *args, answer=answer, **kwargs: answer)
    machine = types.SimpleNamespace(sysname="Elsewhere", nodename="x", release="1", version="1", machine="other")
    another = {
        "name": "elsewhere",
        "linesep": "\r",
        "uname": lambda: machine,
        "cpu_count": lambda: 77,
        "getpid": lambda: 4242,
    }
    vars(os).update(another)


def skew_libraries():
    """Compress otherwise, and lay out numbers as a machine of another order and other sizes does."""
    zlib.compress = lambda data, /, *args, real=zlib.compress, **kwargs: real(data, 0)
    zlib.compressobj = lambda *args, real=zlib.compressobj, **kwargs: real(0)

    def laid_out(real):
        def standard(form, *args, **kwargs):
            text = form.decode() if isinstance(form, bytes) else form
            return real(text if text[:1] in ("<", ">", "!") else ">" + text.lstrip("@="), *args, **kwargs)

        return standard

    for name in ("pack", "pack_into", "unpack", "unpack_from", "iter_unpack", "calcsize", "Struct"):
        setattr(struct, name, laid_out(getattr(struct, name)))
