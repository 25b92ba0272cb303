r"""C and C++; a backslash in an include is a slash, as on Windows.

| rule | means |
| --- | --- |
| c_folder | the including file's folder |
| c_include_root | below the root and folders called include, inc or src, the nearest |
| c_suffix | the nearest file whose path ends so |
| c_case | in quotes: but for capital letters, the file in the including file's folder, else the one that ends so |
| cpp_module | `import a.b;`: the file that exports the module (C++20) |

In angle brackets a header of the C and C++ libraries, of POSIX or of a system is the compiler's, unless an include
folder around the file has it. A path that starts with a dot says where it leads, and is not looked for elsewhere.
"""

import posixpath
from collections.abc import Iterable
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import (
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    ancestors,
    chosen,
    with_slashes,
)
from datasets_builders.repositories.statements import Import

INCLUDE_FOLDERS = ("include", "inc", "src")
MODULE_FORMS = ("module", "module part")
SYSTEM_FOLDERS = frozenset(
    ("sys", "net", "netinet", "netpacket", "arpa", "linux", "asm", "asm-generic", "mach", "mach-o", "machine", "bits")
)
# Headers of C, of POSIX and of systems that programs are written for, without their extension.
C_HEADERS = """
assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype aio
cpio dirent dlfcn fcntl fmtmsg fnmatch ftw glob grp iconv langinfo libgen monetary mqueue ndbm netdb nl_types poll
pthread pwd regex sched search semaphore spawn strings stropts syslog tar termios ulimit unistd utime utmpx
wordexp alloca byteswap elf execinfo fts getopt ifaddrs libintl malloc memory
mntent obstack pty resolv stdio_ext sysexits termio ucontext utmp varargs windows winsock
winsock2 ws2tcpip tchar intrin immintrin emmintrin xmmintrin pmmintrin tmmintrin smmintrin
nmmintrin arm_neon cpuid x86intrin unwind
"""
# Headers of C++.
CPP_HEADERS = """
algorithm any array atomic barrier bit bitset charconv chrono codecvt compare complex concepts condition_variable
coroutine deque exception execution expected filesystem format forward_list fstream functional future generator
initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map mdspan memory
memory_resource mutex new numbers numeric optional ostream print queue random ranges ratio regex scoped_allocator
semaphore set shared_mutex source_location span spanstream sstream stack stacktrace stdexcept stdfloat stop_token
streambuf string string_view strstream syncstream system_error thread tuple type_traits typeindex typeinfo
unordered_map unordered_set utility valarray variant vector version cassert cctype cerrno cfenv cfloat cinttypes
climits clocale cmath csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype
"""
SYSTEM_HEADERS = frozenset([*(f"{name}.h" for name in C_HEADERS.split()), *CPP_HEADERS.split()])


def is_of_system(target: str) -> bool:
    """Return whether a header belongs to a compiler or a system."""
    return target in SYSTEM_HEADERS or target.partition("/")[0] in SYSTEM_FOLDERS


class CRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _include_roots(self) -> list[str]:
        folders = {ancestor for folder in self.files.folders for ancestor in ancestors(folder)}
        return ["", *sorted(folder for folder in folders if posixpath.basename(folder) in INCLUDE_FOLDERS)]

    @cached_property
    def _below_roots(self) -> dict[str, list[str]]:
        """Files below the include roots, by their path from there."""
        found: dict[str, list[str]] = {path: [path] for path in self.files.contents}
        roots = set(self._include_roots)
        for path in self.files.contents:
            for folder in ancestors(posixpath.dirname(path)):
                if folder in roots:
                    found.setdefault(path[len(folder) + 1 :], []).append(path)
        return found

    @cached_property
    def _modules(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path, file in sorted(self.imports.items()):
            if file.package:
                found.setdefault(file.package, []).append(path)
        return found

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an include of a file means."""
        if found.form == "module":
            return self._module(path, found.target)
        target = with_slashes(found.target)
        nearby = within(posixpath.dirname(path), target) if found.form == "quoted" else None
        if resolved := self.first([nearby], "c_folder"):
            return resolved
        is_angled, is_of_folder = found.form == "angled", target.startswith(".")
        if is_of_folder:
            roots = (within(root, target) for root in self._include_roots)
            below = [file for file in roots if file in self.files.contents]
        else:
            below = self._below_roots.get(posixpath.normpath(target), [])
        below = [file for file in below if file != path]
        if is_angled and is_of_system(target):
            return chosen(path, self._around(path, below, target), "c_include_root") or EXTERNAL
        if resolved := chosen(path, below, "c_include_root"):
            return resolved
        tails = (
            [] if is_of_folder else [file for file in self.files.ending_in(posixpath.normpath(target)) if file != path]
        )
        if resolved := chosen(path, tails, "c_suffix"):
            return resolved
        if is_angled or is_of_system(target):
            return EXTERNAL
        return self.in_any_case(path, nearby, None if is_of_folder else target, "c_case") or MISSING

    def _around(self, path: str, files: Iterable[str], target: str) -> list[str]:
        """Return the files in a folder `include` whose neighbours, or what lies below them, include them."""
        found = []
        for file in files:
            root = file[: -len(target) - 1]
            if posixpath.basename(root) == "include" and path.startswith(f"{posixpath.dirname(root)}/".lstrip("/")):
                found.append(file)
        return found

    def _module(self, path: str, name: str) -> Resolution:
        full = self.imports[path].package.partition(":")[0] + name if name.startswith(":") else name
        return chosen(path, [file for file in self._modules.get(full, ()) if file != path], "cpp_module") or EXTERNAL
