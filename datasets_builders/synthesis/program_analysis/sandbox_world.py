"""Section 2.4: another world for functions to run in, so that what depends on more than arguments answers differently.

Never imported by the package: it is sent into the sandbox beside the driver. Clock, time zone, home, folder, command
line, and what an interpreter says of itself and of its platform are others here; the version is a later one, so that
code written for "this version and later" keeps its meaning.
"""

import datetime
import os
import platform
import sys
import time
import types
import typing

SKEW_SECONDS = 400 * 86400 + 7 * 3600 + 11
VERSION = (3, 97, 5, "candidate", 3)
HEX_VERSION = 0x036105C3


class VersionInfo(typing.NamedTuple):
    """What `sys.version_info` is, whose own class makes no objects."""

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: int


def skew():
    """Move the clock, the surroundings and the interpreter's own description."""
    skew_surroundings()
    skew_clock()
    skew_interpreter()
    skew_platform()


def skew_surroundings():
    """Change the environment and the command line."""
    os.environ.update(TZ="Pacific/Auckland", HOME="/elsewhere", LANG="tr_TR.UTF-8", LC_ALL="C", USER="another")
    time.tzset()
    sys.argv = ["another", "argument"]


def skew_clock():
    """Move the clock."""
    real = {name: getattr(time, name) for name in ("time", "localtime", "gmtime", "ctime", "strftime")}
    time.time = lambda: real["time"]() + SKEW_SECONDS
    time.time_ns = lambda: int(time.time() * 1_000_000_000)
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
    another = {"linesep": "\r", "uname": lambda: machine, "cpu_count": lambda: 77, "getpid": lambda: 4242}
    vars(os).update(another)
