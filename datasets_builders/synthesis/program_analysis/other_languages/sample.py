"""Section 2.4: a function of another language than Python, with all that it needs to run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

# Stands in `context` where the function stands in a program that goes on behind it.
PLACE = "/* the function stands here */"


@dataclass(frozen=True)
class Parameter:
    """A parameter: `type` and `default` are as written, empty where nothing is."""

    name: str
    type: str = ""
    default: str = ""
    is_rest: bool = False


@dataclass(frozen=True)
class ProgramSample:
    """A function and its program: `before`, the function, `after`.

    Args:
        language (`str`): Linguist's name.
        name (`str`): of the function.
        called (`str`): what stands before the brackets of a call: `name`, `Class.name`, or `new Class().name`.
        module, path (`str`): where it was found.
        function (`str`): its text.
        before, after (`str`): the rest of the program: imports, constants, types, helpers.
        docstring (`str`): the comment that documents it, without its marks.
        helpers: names of the file's own functions in the program.
        parameters: of the function, in order.
        result (`str`): its type as written.
        seen_calls: calls with literal arguments that its own file or documentation makes.
    """

    language: str
    name: str
    called: str
    module: str
    path: str
    function: str
    before: str = ""
    after: str = ""
    docstring: str = ""
    helpers: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    result: str = ""
    seen_calls: tuple[str, ...] = field(default_factory=tuple)

    @property
    def code(self) -> str:
        """The program."""
        return self.before + self.function + self.after

    @property
    def context(self) -> str:
        """The program without the function; a comment marks its place where something stands behind it."""
        return f"{self.before}{PLACE}{self.after}" if self.after.strip() else self.before.strip()

    def with_function(self, function: str) -> ProgramSample:
        """Return the same program with another text of the function."""
        return replace(self, function=function)


@dataclass(frozen=True)
class ExtractionLimits:
    """How large a function and its program may be, as for Python."""

    max_code_chars: int = 3000
    max_function_lines: int = 60
    min_function_lines: int = 2


class Unusable(Exception):
    """A function cannot be cut out: (reason, detail)."""
