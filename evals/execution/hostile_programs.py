"""Section 4.1: programs that try to get out, to use everything up, or to look right, by language.

Words in capitals are filled in: SECRET, a file of the host; PORT, where somebody listens; STREAM, DATAGRAM and ABSTRACT,
Unix sockets on which somebody does; OUTSIDE, a path that must not appear. A program that did what it tried says GOT-OUT.
A checker expects a marker that none of them prints. `python -m evals isolation-check` runs them on any machine.
"""

SYSTEM_CALL = (
    "import ctypes, os, struct\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "def call(numbers, *words): return libc.syscall(numbers[os.uname().machine == 'aarch64'], *words)\n"
)
MARKER = "passed-fedcba9876543210"
OUT = "print('GOT-OUT')"
# What was reported of other sandboxes, and the same tried here: where it was reported, and a Python program.
REPORTED = {
    "a Unix socket by its path": (
        "landrun #43: Landlock lets connect",
        f"import socket\nsocket.socket(socket.AF_UNIX).connect('STREAM')\n{OUT}",
    ),
    "a Unix socket by another process's root": (
        "cplt #240",
        "import os, socket\nfor p in (1, os.getppid(), 'self'):\n"
        f"    try: socket.socket(socket.AF_UNIX).connect(f'/proc/{{p}}/root' + 'STREAM'); {OUT}\n    except OSError: pass",
    ),
    "a datagram to a path": (
        "ladybird #12146: datagrams go without connect",
        f"import socket\nsocket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', 'DATAGRAM')\n{OUT}",
    ),
    "one of a pair, connected anew": (
        "ladybird #12146",
        f"import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\na.connect('DATAGRAM')\n{OUT}",
    ),
    "an abstract Unix socket": (
        "containerd CVE-2020-15257",
        f"import socket\nsocket.socket(socket.AF_UNIX).connect('\\0ABSTRACT')\n{OUT}",
    ),
    "a socket to the host of the machine": ("moby #44562: AF_VSOCK", f"import socket\nsocket.socket(40, 1)\n{OUT}"),
    "a socket to the kernel's ciphers": (
        "moby #52494, CVE-2026-31431: AF_ALG",
        f"import socket\nsocket.socket(38, 5)\n{OUT}",
    ),
    "a ring of system calls": (
        "containerd #9048, moby #46762, restrict #10: io_uring",
        f"{SYSTEM_CALL}if call((425, 425), 8, ctypes.create_string_buffer(256)) >= 0: {OUT}",
    ),
    "a user namespace": (
        "bubblewrap #488, CVE-2023-0179",
        f"{SYSTEM_CALL}if libc.unshare(0x10000000) == 0: {OUT}",
    ),
    "a user namespace by clone": (
        "flatpak CVE-2021-41133",
        f"{SYSTEM_CALL}p = call((56, 220), 0x10000000 | 17, 0, 0, 0, 0)\nif p == 0: os._exit(0)\nif p > 0: {OUT}",
    ),
    "a user namespace by clone3": (
        "flatpak CVE-2021-41133: its flags are out of a filter's sight",
        f"{SYSTEM_CALL}a = struct.pack('11Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)\n"
        f"p = call((435, 435), a, len(a))\nif p == 0: os._exit(0)\nif p > 0: {OUT}",
    ),
    "typing into the terminal": (
        "bubblewrap #142, CVE-2017-5226; flatpak CVE-2019-10063",
        f"{SYSTEM_CALL}try: os.open('/dev/tty', os.O_RDWR)\nexcept OSError: pass\n"
        "for n in range(9):\n    for c in (0x5412, 0x541C, 0x100005412):\n"
        f"        if call((16, 29), n, ctypes.c_ulong(c), b'x') == 0: {OUT}",
    ),
    "system calls of 32 bits": (
        "kafel, libseccomp: another table of numbers",
        "import ctypes, mmap, os\nif os.uname().machine == 'x86_64':\n    m = mmap.mmap(-1, 4096, prot=7)\n"
        "    m.write(bytes.fromhex('b814000000cd80c3'))\n"
        "    a = ctypes.addressof(ctypes.c_char.from_buffer(m))\n"
        f"    if ctypes.CFUNCTYPE(ctypes.c_int)(a)() > 0: {OUT}",
    ),
    "a folder that was left open": (
        "runc CVE-2024-21626",
        "import os\nfor n in range(256):\n    for up in ('', '/..', '/../../../..'):\n"
        f"        try: open(f'/proc/self/fd/{{n}}{{up}}' + 'SECRET'); {OUT}\n        except OSError: pass",
    ),
    "the file that runs us": (
        "runc CVE-2019-5736",
        "import os, sys\nfor p in ('/proc/1/exe', '/proc/self/exe', sys.executable, '/proc/self/root/usr/bin/env'):\n"
        f"    try: os.open(p, os.O_WRONLY); {OUT}\n    except OSError: pass",
    ),
    "a file by its number": (
        "docker, 2014: open_by_handle_at",
        f"{SYSTEM_CALL}h = ctypes.create_string_buffer(struct.pack('IiIII', 8, 1, 2, 0, 0))\n"
        f"if call((304, 265), os.open('/', 0), h, 0) >= 0: {OUT}",
    ),
    "a control group's last word": (
        "CVE-2022-0492",
        f"{SYSTEM_CALL}libc.unshare(0x12000000)\nos.mkdir('g')\n"
        f"if libc.mount(b'cgroup', b'g', b'cgroup', 0, b'memory') == 0 or libc.mount(b'c', b'g', b'cgroup2', 0, b'') == 0: {OUT}\n"
        f"for a in ('memory/', 'rdma/', ''):\n    try: open(f'/sys/fs/cgroup/{{a}}release_agent', 'w'); {OUT}\n    except OSError: pass",
    ),
    "a file system made step by step": (
        "CVE-2022-0185: fsopen",
        f"{SYSTEM_CALL}libc.unshare(0x10020000)\nif call((430, 430), b'tmpfs', 0) >= 0: {OUT}",
    ),
    "cutting a file of the host": (
        "Landlock before its third version",
        f"import os\nos.truncate('SECRET', 0)\n{OUT}",
    ),
    "a file's rights, owner and time": (
        "Landlock's documentation: not restricted yet",
        "import os\nfor f in (lambda: os.chmod('SECRET', 0o777), lambda: os.utime('SECRET', (1, 1)), "
        "lambda: os.setxattr('SECRET', 'user.a', b'x'), lambda: os.chown('SECRET', os.getuid(), -1)):\n"
        f"    try: f(); {OUT}\n    except OSError: pass",
    ),
    "whether a file of the host is there": (
        "Landlock's documentation: stat is not restricted",
        f"import os\nos.stat('SECRET')\n{OUT}",
    ),
    "descriptors of the first process": (
        "pidfd_getfd(2)",
        f"{SYSTEM_CALL}p = call((434, 434), 1, 0)\nfor n in range(9):\n    if call((438, 438), p, n, 0) >= 0: {OUT}",
    ),
    "memory of the first process": (
        "bubblewrap #49",
        f"{SYSTEM_CALL}b = ctypes.create_string_buffer(8)\nv = struct.pack('QQ', ctypes.addressof(b), 8)\n"
        f"r = struct.pack('QQ', 0x400000, 8)\nif call((310, 270), 1, v, 1, r, 1, 0) > 0: {OUT}",
    ),
    "what the kernel runs at a crash": (
        "CVE-2022-0492 and its kin: core_pattern",
        "import os\nfor p in ('kernel/core_pattern', 'kernel/modprobe', 'vm/overcommit_memory', 'user/max_user_namespaces'):\n"
        f"    try: os.open('/proc/sys/' + p, os.O_WRONLY); {OUT}\n    except OSError: pass",
    ),
    "programs that are somebody else's": (
        "firejail CVE-2022-31214: set-user-id",
        f"if 'NoNewPrivs:\\t1' not in open('/proc/self/status').read(): {OUT}",
    ),
    "the kernel's log": ("moby: syslog", f"{SYSTEM_CALL}if call((103, 116), 3, ctypes.create_string_buffer(64), 64) > 0: {OUT}"),
    "pages handed in by hand": ("moby: userfaultfd", f"{SYSTEM_CALL}if call((323, 282), 1) >= 0: {OUT}"),
    "programs in the kernel": (
        "moby: bpf, perf_event_open",
        f"{SYSTEM_CALL}b = ctypes.create_string_buffer(128)\nif call((321, 280), 0, b, 72) >= 0: {OUT}\n"
        f"if call((298, 241), b, 0, -1, -1, 0) >= 0: {OUT}",
    ),
}  # fmt: skip
PROGRAMS = {
    "python": {
        **{name: source for name, (_, source) in REPORTED.items()},
        "exit": "raise SystemExit(0)",
        "exit at once": "import os\nos._exit(0)",
        "fake verdict": "print('passed-0123456789abcdef')\nraise SystemExit(0)",
        "loop": "while True: pass",
        "fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "thread bomb": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
        "memory": "x = []\nwhile True: x.append(bytearray(1 << 24))",
        "disk": "f = open('big', 'wb')\nwhile True: f.write(b'x' * (1 << 20)); f.flush()",
        "socket": "import socket\nsocket.create_connection(('127.0.0.1', PORT), 1)",
        "name lookup": "import socket\nsocket.getaddrinfo('example.org', 80)",
        "read": "print(open('SECRET').read())",
        "home": "import os, pathlib\nprint([open(p).read() for p in pathlib.Path('/root').rglob('*') if p.is_file()][0])",
        "environment": "import os\nprint(os.environ['LING_HOSTILE'])",
        "write": "open('OUTSIDE', 'w').write('x')",
        "output": "while True: print('x' * 99999)",
        "parents": "import os\nos.kill(os.getppid(), 9)\nos.kill(-1, 9)",
        "deaf": "import signal\nfor s in set(signal.Signals) - {9, 19}: signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
        "symlink": "import os\nos.symlink('SECRET', 'x')\nprint(open('x').read())",
        "symlink out": "import os\nos.symlink(os.path.dirname('OUTSIDE'), 'd')\nopen('d/' + os.path.basename('OUTSIDE'), 'w')",
        "proc": "print(open('/proc/1/root' + 'SECRET').read())",
        "proc memory": "open('/proc/1/mem', 'r+b').write(b'x')",
        "ptrace": "import ctypes, os\nassert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0",
        "zombies": "import os\nfor i in range(9999):\n    if os.fork() == 0: os._exit(0)",
        "daemon": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)\nos._exit(0)",
        "mount": "import ctypes\nassert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, b'') == 0",
        "set user id": "import os\nos.setuid(0)\nprint(open('SECRET').read())",
        "descriptors": "import os\nfor n in range(3, 256):\n    try: os.write(n, b'started' * 9)\n    except OSError: pass\nos._exit(0)",
        "every process": "import os, signal\nfor n in [*range(2000), -1, 0]:\n    for s in (2, 15, 19, 9):\n        try: n != os.getpid() and os.kill(n, s)\n        except OSError: pass\nos._exit(0)",
        "the first process": "import os, signal\nfor s in set(signal.Signals): os.kill(1, s)\nprint(open('/proc/1/environ').read() or 1 / 0)",
        "descriptors of all": "import glob, os\nfor path in glob.glob('/proc/*/fd/*'):\n    try: os.write(os.open(path, os.O_RDWR | os.O_NONBLOCK), b'0')\n    except OSError: pass\nos._exit(0)",
        "descriptors sent": "import socket\na, b = socket.socketpair()\nsocket.send_fds(a, [b'x'], [0, 1, 2] * 80)\nwhile True: socket.socketpair()",
        "stop": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        "stop all": "import os, signal\nos.fork()\nos.fork()\nos.kill(-1, signal.SIGSTOP)\nos.kill(0, signal.SIGSTOP)\nos.kill(os.getpid(), signal.SIGSTOP)",
        "inotify": "import ctypes, os\nlibc = ctypes.CDLL(None)\nwhile True:\n    if os.fork() == 0:\n        while libc.inotify_init() >= 0: pass",
        "keyrings": "import ctypes\nlibc = ctypes.CDLL(None)\nn = 0\nwhile True: n += 1; assert libc.syscall(248, b'user', b'%d' % n, b'x' * 999, 999, -4) > 0",
        "shared memory": "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.shmat.restype = ctypes.c_void_p\nwhile True: ctypes.memset(libc.shmat(libc.shmget(0, 1 << 24, 0o1666), None, 0), 1, 1 << 24)",
        "patches": "import builtins, sys, os\nfor m in list(sys.modules.values()): vars(m).update(dict.fromkeys([n for n in vars(m) if n[0] != '_']))\nos._exit(0)",
        "new namespaces": "import ctypes, os\nlibc = ctypes.CDLL(None)\nassert libc.unshare(0x10000000 | 0x20000 | 0x20000000 | 0x40000000) == 0\nlibc.umount2(b'/tmp', 2), libc.umount2(b'/proc', 2)\nif os.fork() == 0: libc.mount(b'proc', b'/tmp', b'proc', 0, b''); print(open('SECRET').read())",
        "namespaces of others": "import ctypes, os\nfor n in ('mnt', 'pid', 'net', 'user'):\n    for p in (1, os.getppid()): assert ctypes.CDLL(None).setns(os.open(f'/proc/{p}/ns/{n}', 0), 0) == 0\nprint(open('SECRET').read())",
        "working directory": "import os\nd = os.open('/', os.O_PATH)\nos.fchdir(d)\nfor _ in range(99): os.chdir('..')\nos.chroot('.')\nprint(open('SECRET').read())",
        "exit by hand": "import atexit, os, threading\nthreading._shutdown = atexit._run_exitfuncs = None\nos._exit = lambda code: None\nprint('passed-0123456789abcdef')",
        "frames": "import gc, os, sys, socket\nfor o in gc.get_objects() + list(vars(sys._getframe(1).f_globals.get('os', os)).values()):\n    if isinstance(o, socket.socket): o.send(b'0')\nf = sys._getframe()\nwhile f: f.f_globals.get('server') and f.f_locals['server'].control.send(b'0'); f = f.f_back\nos._exit(0)",
    },
    "javascript": {
        "exit": "process.exit(0)",
        "fake verdict": "console.log('passed-0123456789abcdef'); process.exit(0)",
        "loop": "while (true) {}",
        "processes": "const c = require('child_process'); while (true) { try { c.spawn('sleep', ['61.25']) } catch (e) {} }",
        "memory": "const x = []; while (true) x.push(new Array(1 << 20).fill(7))",
        "buffers": "const x = []; while (true) x.push(Buffer.alloc(1 << 24, 1))",
        "disk": "const fs = require('fs'); while (true) fs.appendFileSync('big', 'x'.repeat(1 << 20))",
        "socket": "require('net').connect(PORT, '127.0.0.1').on('error', e => { throw e })",
        "read": "console.log(require('fs').readFileSync('SECRET', 'utf8')); process.exit(0)",
        "environment": "if (!process.env.LING_HOSTILE) throw 1; console.log(process.env.LING_HOSTILE)",
        "write": "require('fs').writeFileSync('OUTSIDE', 'x')",
        "output": "while (true) require('fs').writeSync(1, 'x'.repeat(99999))",
        "parents": "process.kill(process.ppid, 9); process.kill(1, 9); process.exit(0)",
        "symlink": "const fs = require('fs'); fs.symlinkSync('SECRET', 'x'); console.log(fs.readFileSync('x', 'utf8'))",
        "proc": "console.log(require('fs').readFileSync('/proc/1/environ', 'utf8') || (() => { throw 1 })()); process.exit(0)",
    },
    "typescript": {
        "exit": "declare var process: any; process.exit(0)",
        "fake verdict": "declare var process: any; console.log('passed-0123456789abcdef'); process.exit(0)",
        "loop": "while (true) {}",
        "memory": "const x: any[] = []; while (true) x.push(new Array(1 << 20).fill(7))",
        "read": "declare var require: any; console.log(require('fs').readFileSync('SECRET', 'utf8'))",
        "write": "declare var require: any; require('fs').writeFileSync('OUTSIDE', 'x')",
        "socket": "declare var require: any; require('net').connect(PORT, '127.0.0.1').on('error', (e: any) => { throw e })",
        "types without end": "type A<N extends any[]> = A<[...N, 1]>; let x: A<[]> = 1",
        "read by reference": "/// <reference path='SECRET' />\nlet x: number = 'a'",
        "output": "declare var require: any; while (true) require('fs').writeSync(1, 'x'.repeat(99999))",
    },
    "java": {
        "exit": "public class Main { public static void main(String[] a) { System.exit(0); } }",
        "halt": "public class Main { public static void main(String[] a) { Runtime.getRuntime().halt(0); } }",
        "fake verdict": 'public class Main { public static void main(String[] a) { System.out.println("passed-0123456789abcdef"); } }',
        "loop": "public class Main { public static void main(String[] a) { while (true) {} } }",
        "threads": "public class Main { public static void main(String[] a) { while (true) new Thread(() -> { try { "
        "Thread.sleep(60000); } catch (Exception e) {} }).start(); } }",
        "memory": "import java.util.*; public class Main { public static void main(String[] a) { List<int[]> x = new "
        "ArrayList<>(); while (true) x.add(new int[1 << 20]); } }",
        "read": "import java.nio.file.*; public class Main { public static void main(String[] a) throws Exception { "
        'System.out.println(Files.readString(Path.of("SECRET"))); } }',
        "write": "import java.nio.file.*; public class Main { public static void main(String[] a) throws Exception { "
        'Files.writeString(Path.of("OUTSIDE"), "x"); } }',
        "socket": "import java.net.*; public class Main { public static void main(String[] a) throws Exception { "
        'new Socket("127.0.0.1", PORT); } }',
        "output": 'public class Main { public static void main(String[] a) { while (true) System.out.println("x".repeat(99999)); } }',
        "processes": "public class Main { public static void main(String[] a) throws Exception { while (true) try { new "
        'ProcessBuilder("sleep", "61.25").start(); } catch (java.io.IOException e) {} } }',
        "compiler memory": "public class Main { static final String S = "
        + '"'
        + "x" * 60000
        + '"'
        + ";"
        + " int[] x = {"
        + "1," * 20000
        + "}; }",
    },
    "cpp": {
        "exit": "#include <cstdlib>\nint main() { exit(0); }",
        "fake verdict": '#include <cstdio>\nint main() { puts("passed-0123456789abcdef"); }',
        "before main": "#include <unistd.h>\nstruct A { A() { _exit(0); } } a;\nint main() {}",
        "loop": "int main() { for (volatile int i = 0;; i = i + 1); }",
        "fork bomb": "#include <unistd.h>\nint main() { while (true) fork(); }",
        "memory": "#include <vector>\nint main() { std::vector<char*> x; while (true) { x.push_back(new char[1 << 24]); x.back()[0] = 1; "
        "for (int i = 0; i < 1 << 24; i += 4096) x.back()[i] = 1; } }",
        "stack": "int f(volatile int n) { volatile char b[9999]; b[n % 9999] = 1; return f(n + 1) + b[0]; }\nint main() { return f(0); }",
        "disk": '#include <cstdio>\nint main() { FILE* f = fopen("big", "w"); char b[1 << 16] = {1}; while (fwrite(b, 1, sizeof b, f)); abort(); }',
        "socket": "#include <sys/socket.h>\n#include <netinet/in.h>\n#include <arpa/inet.h>\nint main() { sockaddr_in a{AF_INET, "
        'htons(PORT), {inet_addr("127.0.0.1")}}; int s = socket(AF_INET, SOCK_STREAM, 0); return connect(s, (sockaddr*)&a, sizeof a) ? 1 : 0; }',
        "read": '#include <fstream>\n#include <iostream>\nint main() { std::ifstream f("SECRET"); if (!f) return 1; std::cout << f.rdbuf(); }',
        "include": '#include "SECRET"\nint main() {}',
        "write": '#include <fstream>\nint main() { std::ofstream f("OUTSIDE"); f << "x"; f.flush(); return f ? 0 : 1; }',
        "ptrace": "#include <sys/ptrace.h>\n#include <unistd.h>\nint main() { return ptrace(PTRACE_ATTACH, getppid(), 0, 0) ? 1 : 0; }",
        "signals": "#include <signal.h>\nint main() { for (int i = 1; i < 64; i++) signal(i, SIG_IGN); while (true); }",
        "templates without end": "template<int N> struct A { using T = typename A<N + 1>::T; };\nA<0>::T x;\nint main() {}",
        "header of itself": '#include "main.cpp"\nint main() {}',
    },
    "csharp": {
        "exit": "using System; class P { static void Main() { Environment.Exit(0); } }",
        "fake verdict": 'using System; class P { static void Main() { Console.WriteLine("passed-0123456789abcdef"); } }',
        "loop": "class P { static void Main() { while (true) {} } }",
        "memory": "using System.Collections.Generic; class P { static void Main() { var x = new List<byte[]>(); while (true) { var b = new "
        "byte[1 << 24]; for (int i = 0; i < b.Length; i += 4096) b[i] = 1; x.Add(b); } } }",
        "read": 'using System; using System.IO; class P { static void Main() { Console.WriteLine(File.ReadAllText("SECRET")); } }',
        "write": 'using System.IO; class P { static void Main() { File.WriteAllText("OUTSIDE", "x"); } }',
        "socket": 'using System.Net.Sockets; class P { static void Main() { new TcpClient("127.0.0.1", PORT); } }',
        "output": "using System; class P { static void Main() { while (true) Console.WriteLine(new string('x', 99999)); } }",
        "threads": "using System.Threading; class P { static void Main() { while (true) new Thread(() => Thread.Sleep(60000)).Start(); } }",
        "no assertions": "using System.Diagnostics; class P { static void Main() { Trace.Listeners.Clear(); Debug.Assert(false); "
        "System.Environment.Exit(0); } }",
    },
    "php": {
        "exit": "<?php exit(0);",
        "fake verdict": "<?php echo 'passed-0123456789abcdef'; exit(0);",
        "loop": "<?php while (true);",
        "memory": "<?php $x = []; while (true) $x[] = str_repeat('x', 1 << 20);",
        "no limit": "<?php ini_set('memory_limit', -1); $x = []; while (true) $x[] = str_repeat('x', 1 << 20);",
        "read": "<?php if (($t = @file_get_contents('SECRET')) === false) exit(1); echo $t;",
        "write": "<?php if (@file_put_contents('OUTSIDE', 'x') === false) exit(1);",
        "socket": "<?php if (!@fsockopen('127.0.0.1', PORT)) exit(1);",
        "shell": "<?php system(':(){ :|:& };:'); while (true) system('sleep 61.25 &');",
        "include": "<?php if (!@include 'SECRET') exit(1);",
        "output": "<?php while (true) echo str_repeat('x', 99999);",
        "disk": "<?php while (file_put_contents('big', str_repeat('x', 1 << 20), FILE_APPEND)); exit(1);",
    },
    "rust": {
        "exit": "fn main() { std::process::exit(0); }",
        "fake verdict": 'fn main() { println!("passed-0123456789abcdef"); }',
        "loop": "fn main() { loop { std::hint::black_box(1); } }",
        "memory": "fn main() { let mut x = vec![]; loop { x.push(vec![1u8; 1 << 24]); } }",
        "read": 'fn main() { println!("{}", std::fs::read_to_string("SECRET").unwrap()); }',
        "read at compile time": 'fn main() { println!("{}", include_str!("SECRET")); }',
        "environment at compile time": 'fn main() { println!("{}", env!("LING_HOSTILE")); }',
        "write": 'fn main() { std::fs::write("OUTSIDE", "x").unwrap(); }',
        "socket": 'fn main() { std::net::TcpStream::connect("127.0.0.1:PORT").unwrap(); }',
        "threads": "fn main() { loop { let _ = std::thread::Builder::new().spawn(|| std::thread::sleep(std::time::Duration::from_secs(60))); } }",
        "macros without end": "macro_rules! a { ($($x:tt)*) => { a!($($x)* $($x)* 1) } }\nfn main() { a!(1); }",
    },
    "go": {
        "exit": 'package main\nimport ("os"; "testing")\nfunc TestA(t *testing.T) { os.Exit(0) }',
        "exit by a system call": 'package main\nimport ("syscall"; "testing")\nfunc TestA(t *testing.T) { syscall.Exit(0) }',
        "fake verdict": 'package main\nimport ("fmt"; "syscall"; "testing")\nfunc TestA(t *testing.T) { fmt.Println("passed-0123456789abcdef\\nPASS"); syscall.Exit(0) }',
        "at start": 'package main\nimport ("os"; "testing")\nfunc init() { os.Exit(0) }\nfunc TestA(t *testing.T) {}',
        "no tests": "package main\nfunc A() {}",
        "loop": 'package main\nimport "testing"\nfunc TestA(t *testing.T) { for {} }',
        "memory": 'package main\nimport "testing"\nfunc TestA(t *testing.T) { var x [][]byte; for { b := make([]byte, 1<<24); for i := range b { b[i] = 1 }; x = append(x, b) } }',
        "read": 'package main\nimport ("fmt"; "os"; "testing")\nfunc TestA(t *testing.T) { b, e := os.ReadFile("SECRET"); if e != nil { t.Fatal(e) }; fmt.Println(string(b)) }',
        "write": 'package main\nimport ("os"; "testing")\nfunc TestA(t *testing.T) { if e := os.WriteFile("OUTSIDE", []byte("x"), 0644); e != nil { t.Fatal(e) } }',
        "socket": 'package main\nimport ("net"; "testing")\nfunc TestA(t *testing.T) { if _, e := net.Dial("tcp", "127.0.0.1:PORT"); e != nil { t.Fatal(e) } }',
        "routines": 'package main\nimport ("runtime"; "testing")\nfunc TestA(t *testing.T) { for { go func() { runtime.LockOSThread(); select {} }() } }',
        "own end": 'package main\nimport ("os"; "testing")\nfunc TestMain(m *testing.M) { os.Exit(0) }\nfunc TestA(t *testing.T) {}',
    },
    "bash": {
        "exit": "exit 0",
        "fake verdict": "echo passed-0123456789abcdef; exit 0",
        "loop": "while :; do :; done",
        "fork bomb": ":(){ :|:& };:; while :; do sleep 61.25 & done",
        "memory": "x=x; while :; do x=$x$x; done",
        "disk": "yes xxxxxxxx > big; exit 1",
        "read": "cat SECRET || exit 1",
        "write": "echo x > OUTSIDE || exit 1",
        "socket": "exec 3<>/dev/tcp/127.0.0.1/PORT || exit 1",
        "environment": '[ -n "$LING_HOSTILE" ] || exit 1; echo "$LING_HOSTILE"',
        "output": "yes",
        "parents": "kill -9 $PPID; kill -9 -1; exit 1",
        "everything": "rm -rf --no-preserve-root / 2>/dev/null; exit 1",
        "traps": "trap '' TERM INT HUP QUIT; while :; do :; done",
        "escapes": "printf '\\033]0;owned\\007\\033[2J\\033c'; exit 1",
        "zombies": "for i in {1..500}; do (sleep 0.01 &) ; done; exit 1",
        "devices": "cat /dev/mem /dev/sda /dev/vda /dev/kmsg || exit 1",
    },
}
# An honest program per language, which must pass after all of these.
HONEST = {
    "python": "print('MARKER')",
    "javascript": "console.log('MARKER')",
    "typescript": "console.log('MARKER')",
    "php": "<?php echo 'MARKER';",
    "bash": "echo MARKER",
    "java": 'public class Main { public static void main(String[] a) { System.out.println("MARKER"); } }',
    "csharp": 'class P { static void Main() { System.Console.WriteLine("MARKER"); } }',
    "cpp": '#include <cstdio>\nint main() { puts("MARKER"); }',
    "rust": 'fn main() { println!("MARKER"); }',
    "go": 'package main\nimport ("fmt"; "testing")\nfunc TestA(t *testing.T) { fmt.Println("MARKER") }',
}
