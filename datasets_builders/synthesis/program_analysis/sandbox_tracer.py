"""Section 2.4: what a call does line by line, recorded in the sandbox.

Never imported by the package: it is sent into the sandbox beside the driver. Frames of the observed program alone are
followed; comprehensions, generator expressions and lambdas show in the line they stand in.

An event is a list: its kind, the depth of its frame, a line number, and what the kind says:

- `call`: name of the function, then its arguments by name;
- `line`: the local variables that the line changed, by name;
- `return`, `yield`: the value;
- `raise`: type and message of an exception;
- `resume`: nothing, a generator goes on;
- `leave`: nothing, an exception passes through.
"""

import dis

PROGRAM, PROGRAM_MODULE = "<program>", "program"
LITERALS = (int, float, str, bytes, bool, type(None))
MAX_VALUE_CHARS = 100
MAX_ATTRIBUTES = 8


class TooManyLines(BaseException):
    """The call executed more lines than allowed."""


class LineCounter:
    """Count executed lines of the observed program, and note which lines they were.

    What library functions do inside is not counted: processor time bounds it.
    """

    def __init__(self, limit):
        self.limit, self.count, self.lines = limit, 0, set()

    def __call__(self, frame, event, argument):
        """Count a line that is about to run."""
        if frame.f_code.co_filename != PROGRAM:
            return None
        if event == "line":
            self.count_line(frame)
        return self

    def count_line(self, frame):
        """Count a line of the program."""
        self.count += 1
        if self.count > self.limit:
            raise TooManyLines
        self.lines.add(frame.f_lineno)


class Recorder(LineCounter):
    """Record events, until there are too many to be read."""

    def __init__(self, limit, max_events, max_chars):
        super().__init__(limit)
        self.events, self.max_events, self.chars_left = [], max_events, max_chars
        self.frames = {}  # the frame: its depth, its variables as last seen, its last line event
        self.depth = 0
        self.is_whole = True

    def __call__(self, frame, event, argument):
        """Record an event of a frame of the program."""
        if frame.f_code.co_filename != PROGRAM:
            return None
        if event == "line":
            self.count_line(frame)
        if self.is_whole and not frame.f_code.co_name.startswith("<"):
            self.record(frame, event, argument)
            if len(self.events) > self.max_events or self.chars_left < 0:
                self.is_whole = False
        return self

    def record(self, frame, event, argument):
        """Note what the frame's last line changed, then the event."""
        if event == "call":
            known = self.frames.get(frame)
            self.depth += 1
            if known is None:
                seen = snapshot(frame)
                self.frames[frame] = [self.depth, seen, None]
                self.add("call", self.depth, frame.f_lineno, frame.f_code.co_name, dict(seen))
            else:
                known[0] = self.depth
                self.add("resume", self.depth, frame.f_lineno)
            return
        known = self.frames[frame]
        depth, before, last_line = known
        now = snapshot(frame)
        changed = {name: text for name, text in now.items() if before.get(name) != text}
        known[1] = now
        if last_line is not None:
            last_line[3].update(changed)
            self.chars_left -= sum(len(name) + len(text) for name, text in changed.items())
        if event == "line":
            known[2] = self.add("line", depth, frame.f_lineno, {})
        elif event == "exception":
            self.add("raise", depth, frame.f_lineno, error_text(argument[1] or argument[0]()))
        elif event == "return":
            self.depth -= 1
            name = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if name.startswith("RETURN_"):
                self.add("return", depth, frame.f_lineno, shown(argument))
            elif name == "YIELD_VALUE":
                self.add("yield", depth, frame.f_lineno, shown(argument))
            else:
                self.add("leave", depth, frame.f_lineno)

    def add(self, *event):
        """Append an event and return it."""
        self.events.append(list(event))
        self.chars_left -= 16 + sum(len(str(part)) for part in event)
        return self.events[-1]


def snapshot(frame):
    """Return the variables of a frame as text; of an object of the program, its attributes."""
    texts = {}
    for name, value in frame.f_locals.items():
        if name.startswith((".", "__")):
            continue
        attributes = attributes_of(value)
        if attributes is None:
            texts[name] = shown(value)
        else:
            for attribute, inner in list(attributes.items())[:MAX_ATTRIBUTES]:
                texts[f"{name}.{attribute}"] = shown(inner)
    return texts


def attributes_of(value):
    """Return the attributes of an object of the program; None of anything else."""
    if type(value).__module__ != PROGRAM_MODULE:
        return None
    try:
        # As they are, whatever the class makes of looking them up.
        return dict(object.__getattribute__(value, "__dict__"))
    except (AttributeError, TypeError):
        return None


def shown(value):
    """Return a value as a trace shows it: the literal, or in angle brackets what it is."""
    kind = type(value)
    if kind is float and value - value != 0.0:
        return repr(value)
    if not is_literal(value):
        return f"<{kind.__name__}>"
    try:
        text = ordered_text(value)
    except ValueError:  # a number of more digits than the interpreter writes
        return f"<{kind.__name__}>"
    if len(text) <= MAX_VALUE_CHARS:
        return text
    return f"<{kind.__name__} of length {len(value)}>" if hasattr(value, "__len__") else f"<{kind.__name__}>"


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


def ordered_text(value):
    """Return the text of a literal; the items of sets stand in an order that no hash seed changes."""
    kind = type(value)
    if kind is set and value:
        return "{" + ", ".join(sorted(map(ordered_text, value))) + "}"
    if kind is list:
        return "[" + ", ".join(map(ordered_text, value)) + "]"
    if kind is tuple:
        return "(" + ", ".join(map(ordered_text, value)) + (",)" if len(value) == 1 else ")")
    if kind is dict:
        return "{" + ", ".join(f"{ordered_text(key)}: {ordered_text(item)}" for key, item in value.items()) + "}"
    return repr(value)


def error_text(error):
    """Return an exception as the last line of a traceback shows it."""
    name = type(error).__name__
    try:
        message = str(error)
    except Exception:
        message = ""
    return f"{name}: {message}" if message else name
