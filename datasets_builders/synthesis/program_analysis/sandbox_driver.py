"""Section 2.4: the program that runs inside the sandbox and observes functions.

Never imported by the package: its text is sent to the executor together with `jobs.json`. Every job (one function)
runs in a child process of its own; every call in a fresh namespace, under a bound on executed lines, which does not
depend on how loaded the machine is. One line of JSON is written per call.
"""

import ast
import contextlib
import datetime
import io
import json
import os
import random
import select
import signal
import sys
import time

CALL_SECONDS = 2.0  # of processor time: a backstop for calls stuck in C code; the bound on lines comes first
MAX_SLOW_CALLS = 2
SKEW_SECONDS = 400 * 86400 + 7 * 3600 + 11
LITERALS = (int, float, str, bytes, bool, type(None))


class TooManyLines(BaseException):
    """The call executed more lines than allowed."""


class TooSlow(BaseException):
    """The call took longer than the backstop allows."""


class LineCounter:
    """Count executed lines, and note which lines of the observed program they were."""

    def __init__(self, limit):
        self.limit, self.count, self.lines = limit, 0, set()

    def __call__(self, frame, event, argument):
        """Count a line that is about to run."""
        if event == "line":
            self.count += 1
            if self.count > self.limit:
                raise TooManyLines
            if frame.f_code.co_filename == "<program>":
                self.lines.add(frame.f_lineno)
        return self


def is_literal(value, depth=0):
    """Return whether the value consists of built-in literals only, exact types, no NaN, no infinity."""
    kind = type(value)
    if kind is float:
        return value - value == 0.0
    if kind in LITERALS:
        return True
    if depth > 6:
        return False
    if kind in (list, tuple, set):
        return all(is_literal(item, depth + 1) for item in value)
    if kind is dict:
        return all(is_literal(item, depth + 1) for pair in value.items() for item in pair)
    return False


def describe(value, max_chars):
    """Return the status and text of a returned value."""
    if not is_literal(value):
        return "not_literal", type(value).__name__
    if type(value) is set and not value:
        return "not_literal", "empty set"
    text = repr(value)
    if len(text) > max_chars:
        return "too_long", str(len(text))
    back = ast.literal_eval(text)
    if back != value or repr(back) != text:
        return "not_literal", "does not read back"
    return "ok", text


def alarm(signum, frame):
    """End the call when its time is up."""
    raise TooSlow


def guarded(action, limit):
    """Run action() under both bounds; return (status, text, counter)."""
    counter = LineCounter(limit)
    signal.setitimer(signal.ITIMER_PROF, CALL_SECONDS)
    try:
        sys.settrace(counter)
        try:
            result = action()
        finally:
            sys.settrace(None)
            signal.setitimer(signal.ITIMER_PROF, 0)
    except TooManyLines:
        return "too_many_lines", "", counter
    except TooSlow:
        return "too_slow", "", counter
    except AssertionError as error:
        return "assertion", str(error)[:200], counter
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        return "raised", type(error).__name__, counter
    return "returned", result, counter


def observe_call(program, expression, job):
    """Run one call in a namespace of its own."""
    namespace = {"__name__": "program"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status, value, _ = guarded(lambda: exec(program, namespace), job["max_lines"])
        if status != "returned":
            return {"status": "broken", "value": f"{status} {value}".strip()}
        code = compile(expression, "<call>", "eval")
        status, value, counter = guarded(lambda: eval(code, namespace), job["max_lines"])
        if status == "returned":
            try:
                status, value = describe(value, job["max_chars"])
            except (Exception, RecursionError) as error:
                status, value = "not_literal", type(error).__name__
    if printed.getvalue():
        return {"status": "prints", "value": ""}
    return {"status": status, "value": value, "steps": counter.count, "lines": sorted(counter.lines)}


def observe_check(program, check, job):
    """Run a program and then a check; the value says how it went."""
    namespace = {"__name__": "program"}
    code = compile(check, "<check>", "exec")

    def action():
        exec(program, namespace)
        exec(code, namespace)

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status, value, _ = guarded(action, job["max_lines"] * 10)
    return {"status": "passed" if status == "returned" else status, "value": "" if status == "returned" else value}


def skew_world():
    """Move the clock and the surroundings, so that whatever depends on them answers differently."""
    os.environ.update(TZ="Pacific/Auckland", HOME="/elsewhere", LANG="tr_TR.UTF-8", LC_ALL="C", USER="another")
    time.tzset()
    sys.argv = ["another", "argument"]
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


def work(job, emit):
    """Observe every call of every unit of a job, then its checks."""
    if job["skew"]:
        skew_world()
    # Another seed in every run, the same in every build: chance shows, and shows reproducibly.
    random.seed(job["seed"])
    time.sleep = lambda seconds: None  # waiting takes no processor time, so the backstop would not end it
    signal.signal(signal.SIGPROF, alarm)
    slow = 0
    for unit, text in enumerate(job["units"]):
        try:
            program = compile(text, "<program>", "exec")
        except (SyntaxError, ValueError):
            continue
        order = range(len(job["calls"]))
        for call in reversed(order) if job["reverse"] else order:
            result = observe_call(program, job["calls"][call], job)
            emit({"unit": unit, "call": call, **result})
            slow += result["status"] == "too_slow"
            if slow > MAX_SLOW_CALLS or result["status"] == "broken":
                break
    for number, (text, check) in enumerate(job["checks"]):
        program = compile(text, "<program>", "exec")
        emit({"check": number, **observe_check(program, check, job)})


def run_job(number, job, output):
    """Run a job in a child process and pass on what it says, until it ends or its time is up."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        # A folder of its own, named differently in every run.
        folder = f"{'elsewhere' if job['skew'] else 'here'}_{number}"
        os.mkdir(folder)  # noqa: PTH102 (pathlib is slow to import)
        os.chdir(folder)
        sink = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(sink, descriptor)
        with os.fdopen(writer, "w") as stream:
            try:
                work(job, lambda row: print(json.dumps({"job": number, **row}), file=stream, flush=True))
            finally:
                stream.flush()
                os._exit(0)
    os.close(writer)
    deadline = time.monotonic() + job["seconds"]
    chunks = []
    while (left := deadline - time.monotonic()) > 0 and select.select([reader], [], [], left)[0]:
        chunk = os.read(reader, 65536)
        if not chunk:
            break
        chunks.append(chunk)
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    os.waitpid(child, 0)
    lines = b"".join(chunks).decode("utf-8", "replace").splitlines(keepends=True)
    # A killed child leaves half a line.
    output.write("".join(line for line in lines if line.endswith("}\n")))
    output.write(json.dumps({"job": number, "done": True}) + "\n")
    output.flush()


def main():
    """Run all jobs of jobs.json one after the other."""
    with open("jobs.json", encoding="utf-8") as stream:
        jobs = json.load(stream)
    sys.setrecursionlimit(400)
    for number, job in enumerate(jobs):
        run_job(number, job, sys.stdout)


if __name__ == "__main__":
    main()
