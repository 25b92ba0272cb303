"""Programs that try to get out, to use everything up, or to look right: by language, with the verdicts they may get.

SECRET, PORT and OUTSIDE are filled in: a file of the host, a port where somebody listens, a path that must not appear.
A checker expects a marker that none of them prints.
"""

CONTAINED = ("fail", "timeout", "oom", "compile_error")
STOPPED = ("timeout", "oom", "fail")

PROGRAMS = {
    "python": {
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
        "always equal": "class E:\n    def __eq__(self, o): return True\nraise SystemExit(0)",
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
