"""Section 2.4: the program that runs inside the sandbox and observes functions.

Never imported by the package: its text is sent to the executor together with `jobs.json`, `sandbox_tracer.py` and
`sandbox_world.py`. Every job (one function) runs in a child process of its own; every call in a fresh namespace, under
a bound on executed lines, which does not depend on how loaded the machine is. One line of JSON is written per call.
"""

import ast
import contextlib
import importlib
import io
import json
import os
import random
import re
import select
import signal
import sys
import time
import types

import sandbox_world
from sandbox_tracer import LITERALS, PROGRAM, LineCounter, Recorder, TooManyLines, error_text, is_literal

CALL_SECONDS = 2.0  # of processor time: a backstop for calls stuck in C code; the bound on lines comes first
MAX_SLOW_CALLS = 2
MAX_ERROR_CHARS = 200
CALLABLES = types.BuiltinFunctionType | types.MethodDescriptorType | types.WrapperDescriptorType
MAX_SLEEP_SECONDS = 0.1  # who checks an answer has to wait as long as the call does


class TooSlow(BaseException):
    """The call took longer than the backstop allows."""


def describe(value, max_chars):
    """Return the status and text of a returned value."""
    if not is_literal(value):
        return "not_literal", type(value).__name__
    if type(value) is set and not value:
        return "not_literal", "empty set"
    text = repr(value)
    if len(text) > max_chars:
        return "too_long", str(len(text))
    if has_unordered_set(value):
        return "not_literal", "order of a set"
    if type(value) not in LITERALS:
        back = ast.literal_eval(text)
        if back != value or repr(back) != text:
            return "not_literal", "does not read back"
    return "ok", text


def has_unordered_set(value):
    """Return whether a literal holds a set of texts, whose order is the hash seed's."""
    if type(value) is set:
        return len(value) > 1 and not all(type(item) in (int, bool) for item in value)
    if type(value) in (list, tuple):
        return any(map(has_unordered_set, value))
    return type(value) is dict and any(map(has_unordered_set, value.values()))


def alarm(signum, frame):
    """End the call when its time is up."""
    raise TooSlow


def guarded(action, counter):
    """Run action() under both bounds; return (status, value or text, exception)."""
    signal.setitimer(signal.ITIMER_PROF, CALL_SECONDS)
    try:
        sys.settrace(counter)
        try:
            result = action()
        finally:
            sys.settrace(None)
            signal.setitimer(signal.ITIMER_PROF, 0)
    except TooManyLines:
        return "too_many_lines", "", None
    except TooSlow:
        return "too_slow", "", None
    except AssertionError as error:
        return "assertion", error_text(error)[:MAX_ERROR_CHARS], error
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        return "raised", type(error).__name__, error
    return "returned", result, None


class Sleep:
    """Stands for `time.sleep`: takes no time, which the backstop would not see, and notes how much was asked for."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self, seconds):
        """Note a wait."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.seconds += seconds

    def take(self):
        """Return the seconds noted so far, and begin anew."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


SLEEP = Sleep()


class Call:
    """A call whose arguments that can be changed are bound to names, so that they can be looked at afterwards.

    Args:
        expression (`str`): `f([1], key={})`, or a call around it such as `list(f([1]))`.
    """

    def __init__(self, expression):
        self.arguments = []  # name in the namespace, position or keyword, code of its value
        if "[" not in expression and "{" not in expression:
            self.code = compile(expression, "<call>", "eval")
            return
        tree = ast.parse(expression, mode="eval")
        call = tree.body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "list":
            call = call.args[0]
        if isinstance(call, ast.Call):
            for position, argument in enumerate(call.args):
                call.args[position] = self.bound(argument, position)
            for keyword in call.keywords:
                keyword.value = self.bound(keyword.value, keyword.arg)
        self.code = compile(tree, "<call>", "eval")

    def bound(self, argument, label):
        """Return the argument, or a name for it if it can be changed."""
        if not any(isinstance(part, ast.List | ast.Dict | ast.Set) for part in ast.walk(argument)):
            return argument
        name = f"_argument_{len(self.arguments)}"
        self.arguments.append((name, label, compile(ast.Expression(argument), "<argument>", "eval")))
        return ast.copy_location(ast.Name(name, ast.Load()), argument)

    def bind(self, namespace):
        """Put fresh arguments into a namespace; return their texts."""
        for name, _, code in self.arguments:
            namespace[name] = eval(code, {})
        return [repr(namespace[name]) for name, _, _ in self.arguments]

    def changes(self, namespace, before, max_chars):
        """Return position or keyword, and text, of the arguments that were changed; None if one cannot be shown."""
        changed = []
        for (name, label, _), text in zip(self.arguments, before, strict=True):
            status, now = describe(namespace[name], max_chars)
            if status != "ok":
                return None
            if now != text:
                changed.append([label, now])
        return changed


def observe_call(namespace, call, job, counter):
    """Run one call in a namespace; return what came of it."""
    before = call.bind(namespace)
    SLEEP.take()
    status, value, error = guarded(lambda: eval(call.code, namespace), counter)
    if SLEEP.take() > MAX_SLEEP_SECONDS:
        return {"status": "sleeps", "value": "", "steps": counter.count}
    if sandbox_world.WITNESS.asked:
        return {"status": "asks", "value": sandbox_world.WITNESS.asked, "steps": counter.count}
    seen = {}
    if error is not None:
        seen["error"] = seen_error(error)
    if status == "returned":
        try:
            status, value = describe(value, job["max_chars"])
        except (Exception, RecursionError) as error:
            status, value = "not_literal", type(error).__name__
    if call.arguments:
        try:
            changes = call.changes(namespace, before, job["max_chars"])
        except (Exception, RecursionError):
            changes = None
        if changes is None:
            # What became of an argument cannot be told: nor can what the call does.
            return {**seen, "status": "not_literal", "value": "argument", "steps": counter.count}
        if changes:
            seen["changes"] = changes
    return {**seen, "status": status, "value": value, "steps": counter.count}


def seen_error(error):
    """Return type, text, and the program's line that raised it (0: raised inside a library function)."""
    line, step = 0, error.__traceback__
    while step is not None:
        line = step.tb_lineno if step.tb_frame.f_code.co_filename == PROGRAM else 0
        step = step.tb_next
    return [type(error).__name__, error_text(error)[:MAX_ERROR_CHARS], line]


def fresh_namespace(program, job):
    """Run a program; return its namespace, or how it failed."""
    namespace = {"__name__": "program"}
    if job["skew"]:
        namespace |= sandbox_world.names()
    sandbox_world.WITNESS.begin()
    status, value, _ = guarded(lambda: exec(program, namespace), LineCounter(job["max_lines"]))
    return namespace if status == "returned" else f"{status} {value}".strip()


def observe_fresh(program, call, job, is_recorded=False, with_lines=False):
    """Run one call in a namespace of its own."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        namespace = fresh_namespace(program, job)
        if isinstance(namespace, str):
            return {"status": "broken", "value": namespace}
        limit = job["max_lines"]
        counter = Recorder(limit, job["max_events"], job["max_trace_chars"]) if is_recorded else LineCounter(limit)
        result = observe_call(namespace, call, job, counter)
    if printed.getvalue():
        return {"status": "prints", "value": ""}
    if with_lines:
        result["lines"] = sorted(counter.lines)
    if is_recorded and counter.is_whole:
        result["events"] = counter.events
    return result


def observe_again(program, calls, job, results):
    """Run all calls in one namespace, forwards and backwards; return how one of them differs from its fresh run."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        namespace = fresh_namespace(program, job)
        if isinstance(namespace, str):
            return namespace
        order = [number for number in range(len(calls)) if number in results]
        for number in (*order, *reversed(order)):
            again = observe_call(namespace, calls[number], job, LineCounter(job["max_lines"]))
            for name in ("status", "value", "changes"):
                if again.get(name) != results[number].get(name):
                    return f"{job['calls'][number]} gave {results[number].get(name)}, later {again.get(name)}"
    return ""


def keeps_state(text, namespace):
    """Return whether a program has something that one call could leave for the next."""
    return re.search(r"\b(?:global|nonlocal)\b", text) or not all(
        name.startswith("__") or is_fixed(value) for name, value in namespace.items()
    )


def may_keep_state(text, program, job):
    """Return whether a faulty version can differ from call to call; most cannot, and are not run again."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        namespace = fresh_namespace(program, job)
    return not isinstance(namespace, str) and keeps_state(text, namespace)


def is_fixed(value):
    """Return whether a value of a module cannot be changed, as far as that is plain."""
    if isinstance(value, tuple | frozenset):
        return all(map(is_fixed, value))
    if isinstance(value, types.FunctionType):
        held = (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        return not vars(value) and not value.__closure__ and all(map(is_fixed, held))
    if isinstance(value, type):
        return value.__module__ != "program" or not any(
            isinstance(part, list | dict | set) for part in vars(value).values()
        )
    return value is None or isinstance(
        value, int | float | complex | str | bytes | range | types.ModuleType | CALLABLES
    )


def observe_check(program, check, job):
    """Run a program and then a check; the value says how it went."""
    namespace = {"__name__": "program"}
    code = compile(check, "<check>", "exec")

    def action():
        exec(program, namespace)
        exec(code, namespace)

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status, value, error = guarded(action, LineCounter(job["max_lines"] * 10))
    seen = {} if error is None else {"error": seen_error(error)}
    return {**seen, "status": "passed" if status == "returned" else status, "value": value if error else ""}


def observe_doctests(program, docstring, job):
    """Run the examples of a docstring; say whether they hold, or that there are none."""
    import doctest  # slow to import, and most functions have none

    def action():
        namespace = {"__name__": "program"}
        exec(program, namespace)
        test = doctest.DocTestParser().get_doctest(docstring, namespace, "docstring", None, None)
        if not test.examples:
            return "none"
        return "failed" if doctest.DocTestRunner().run(test, out=len).failed else "passed"

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status, value, _ = guarded(action, LineCounter(job["max_lines"] * 10))
    return value if status == "returned" else "failed"


def work(job, emit):
    """Observe every call of every unit of a job, then its checks."""
    if job["skew"]:
        sandbox_world.skew()
    # Another seed in every run, the same in every build: chance shows, and shows reproducibly.
    random.seed(job["seed"])
    time.sleep = SLEEP
    signal.signal(signal.SIGPROF, alarm)
    calls = [Call(text) for text in job["calls"]]
    slow = 0
    for unit, text in enumerate(job["units"]):
        try:
            program = sandbox_world.compiled(text, PROGRAM) if job["skew"] else compile(text, PROGRAM, "exec")
        except (SyntaxError, ValueError):
            continue
        order = range(len(calls))
        results, num_right = {}, 0
        for number in reversed(order) if job["reverse"] else order:
            first = unit == 0
            result = observe_fresh(program, calls[number], job, job["record"] and first, job["with_lines"] and first)
            emit({"unit": unit, "call": number, **result})
            results[number] = result
            slow += result["status"] == "too_slow"
            num_right += result["status"] in ("ok", "prints", "not_literal")
            is_hopeless = job["patience"] and len(results) >= job["patience"] and not num_right
            if slow > MAX_SLOW_CALLS or result["status"] == "broken" or is_hopeless:
                break
        if job["repeat"] and slow <= MAX_SLOW_CALLS and (unit == 0 or may_keep_state(text, program, job)):
            emit({"unit": unit, "stateful": observe_again(program, calls, job, results)})
    for number, (text, check) in enumerate(job["checks"]):
        program = compile(text, PROGRAM, "exec")
        emit({"check": number, **observe_check(program, check, job)})
    if job["docstring"]:
        emit({"doctests": observe_doctests(compile(job["units"][0], PROGRAM, "exec"), job["docstring"], job)})


def run_job(number, job, output):
    """Run a job in a child process and pass on what it says, until it ends or its time is up.

    One whose time is up is not said to be done: the time is the clock's, and may have passed while the machine stood.
    """
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
                work(job, lambda row: print(json.dumps({"job": number, **row}), file=stream))
            finally:
                stream.flush()
                os._exit(0)
    os.close(writer)
    deadline = time.monotonic() + job["seconds"]
    chunks = []
    done = json.dumps({"job": number, "done": True}) + "\n"
    while (left := deadline - time.monotonic()) > 0 and select.select([reader], [], [], left)[0]:
        chunk = os.read(reader, 65536)
        if not chunk:
            break
        chunks.append(chunk)
    else:
        done = ""
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    os.waitpid(child, 0)
    lines = b"".join(chunks).decode("utf-8", "replace").splitlines(keepends=True)
    # A killed child leaves half a line.
    output.write("".join(line for line in lines if line.endswith("}\n")))
    output.write(done)
    output.flush()


def main():
    """Run all jobs of jobs.json one after the other."""
    with open("jobs.json", encoding="utf-8") as stream:
        payload = json.load(stream)
    for name in payload["modules"]:
        # Children share what is imported here; what cannot be imported fails where it is used.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    sys.setrecursionlimit(400)
    for number, job in enumerate(payload["jobs"]):
        run_job(number, job, sys.stdout)
    used = os.times()
    print(json.dumps({"seconds": round(used[0] + used[1] + used[2] + used[3], 3)}))


if __name__ == "__main__":
    main()
