"""Section 4.4.1: finding the code in a chat model's answer, in any language, and saying how it was found.

How often an answer held code of the right language is reported beside its score: the paper saw Python in answers to
TypeScript questions, and a harness that cannot read an answer looks like a model that cannot program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evals.tasks.blocks import Block, blocks, final_text, inline_blocks, tagged_blocks
from evals.tasks.syntax import (
    BASH_FUNCTION,
    GRAMMARS,
    defines,
    is_whole,
    names_used,
    statements,
    text_of,
    tree_of,
    walk,
)

TITLES = {
    "python": "Python",
    "java": "Java",
    "javascript": "JavaScript",
    "typescript": "TypeScript",
    "cpp": "C++",
    "csharp": "C#",
    "php": "PHP",
    "rust": "Rust",
    "go": "Go",
    "bash": "Bash",
}
# How a statement at the top level begins, where text stands around it.
_SCRIPT = r"(?:export\s+|default\s+|async\s+|declare\s+|abstract\s+)*(?:function\b|class\s|const\s|let\s|var\s|import\s"
STARTS = {
    "python": r"(?:async\s+)?def\s+\w|class\s+\w+\s*[:(]|import\s+\w|from\s+[\w.]+\s+import\b|@\w|"
    r"[A-Za-z_][\w.]*\s*(?::[^=\n]+)?=\s*[^=\s]|#",
    "java": r"(?:import|package)\s+[\w.*]+;|@\w+|(?:public|private|protected|static|final|abstract|class|interface|enum"
    r"|record)\b|//|/\*",
    "javascript": _SCRIPT + r")|//|/\*|[\w.]+\s*=\s",
    "typescript": _SCRIPT + r"|interface\s|type\s+\w+\s*[=<]|enum\s)|//|/\*",
    "cpp": r"#\s*(?:include|define|pragma|if|endif)|using\s|template\b|(?:struct|class|enum|typedef|const|static|auto|"
    r"inline)\b|//|/\*|[A-Za-z_][\w:<>,*&\s]*[\s*&]\w+\s*\([^;]*$",
    "csharp": r"using\s+[\w.=\s]+;|namespace\s|\[\w+|(?:public|private|protected|internal|static|sealed|class|struct|"
    r"interface|enum|record)\b|//|/\*",
    "php": r"<\?php|(?:function|class|use|namespace|declare|abstract|final|interface|trait|const)\b|\$\w+\s*=|//|/\*",
    "rust": r"(?:use|fn|pub|struct|enum|impl|const|static|trait|type|mod|unsafe|extern|macro_rules!)\b|#!?\[|//|/\*",
    "go": r"(?:package|import|func|type|var|const)\b|//|/\*",
}
CONTINUED = re.compile(r"[)\]}]|(?:else|elif|except|finally|catch)\b")
BASH_START = re.compile(r"^#!|^[\w-]+[ \t]*\([ \t]*\)|^function[ \t]+\w", re.MULTILINE)
PROMPT_LINE = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)
PROGRAM_NODES = {
    *("call", "call_expression", "block", "statement_block", "compound_statement", "assignment", "declaration_list"),
    "return_statement",
}
STUB_NODES = {"pass_statement", "comment"}
MAX_CHARS = 200_000  # of an answer: what comes after is no code that a benchmark asks for
MAX_ATTEMPTS = 400  # at the ends of statements in text
MAX_STATEMENT_LINES = 300


@dataclass(frozen=True)
class Extraction:
    """Code found in an answer.

    Args:
        code (`str`): what is run.
        how (`str`): "fenced"; "unclosed" (the answer ended inside its block); "tagged" (between marks such as
            [PYTHON]); "no_fence" (all of it is taken as code, or its statements); "other_language" (every block names
            another language); "unfinished_thought" (the answer ended while the model was thinking); "nothing".
    """

    code: str
    how: str


def extract(
    answer: str, language: str = "python", entry_point: str | None = None, shown_by: str | None = None
) -> Extraction:
    """Return the code in an answer.

    Of several blocks in the language, the last that defines `entry_point` counts (a later one corrects an earlier one);
    one that only calls it is an example of use. What it uses and other blocks define is put before it. If none defines
    it, the last block that can be a program counts.

    Args:
        answer (`str`): as the model wrote it.
        language (`str`): a key of ALIASES.
        entry_point (`str`, *optional*): the function that the tests call.
        shown_by (`str`, *optional*): a pattern by which a whole program is known among several, without an entry point.
    """
    text = final_text(answer[:MAX_CHARS])
    if text is None:
        return Extraction("", "unfinished_thought")
    if not text.strip():
        return Extraction("", "nothing")
    found, how = blocks(text, language), "fenced"
    if not any(block.code.strip() for block in found):
        found, how = inline_blocks(text), "fenced"
    if not found:
        found, how = tagged_blocks(text, language), "tagged"
    if not found:
        return Extraction(code_in_text(text, language, entry_point), "no_fence")
    fitting = [block for block in found if block.language in (language, "")]
    if not fitting:
        fitting, how = found, "other_language"
    if entry_point and language in GRAMMARS and not _any_defines(fitting, language, entry_point):
        others = [block for block in found if defines(block.code, language, entry_point)]
        code = code_in_text(text, language, entry_point)
        if others:
            fitting, how = others, "other_language"
        elif defines(code, language, entry_point) and is_whole(code, language):
            return Extraction(code, "no_fence")
    block = _chosen(fitting, language, entry_point, shown_by)
    if how == "fenced" and not block.closed:
        how = "unclosed"
    code = block.code
    if entry_point and language in GRAMMARS:
        if language == "python" and PROMPT_LINE.search(code) and not is_whole(code, language):
            code = "".join(f"{PROMPT_LINE.sub('', line)}\n" for line in code.split("\n") if PROMPT_LINE.match(line))
        if block.closed and not is_whole(code, language):  # text may stand in the block, too
            code = code_in_text(code, language, entry_point)
        if not block.closed:
            code = _without_broken_end(code, language, entry_point)
        code = _completed(code, [other.code for other in fitting if other is not block], language)
    return Extraction(code, how)


def _any_defines(found: Sequence[Block], language: str, name: str) -> bool:
    return any(defines(block.code, language, name) for block in found)


def _chosen(found: Sequence[Block], language: str, entry_point: str | None, shown_by: str | None) -> Block:
    """Return the block that counts."""
    labelled = [block for block in found if block.language] or list(found)
    if entry_point:
        defining = [block for block in found if defines(block.code, language, entry_point)]
        at_top = [block for block in defining if _defines_at_top(block.code, language, entry_point)] or defining
        written = [block for block in at_top if not _is_stub(block.code, language, entry_point)] or at_top
        if written:
            return written[-1]
    programs = [block for block in labelled if _can_be_program(block.code, language)] or labelled
    if shown_by:
        programs = [block for block in programs if re.search(shown_by, block.code)] or programs
    return programs[-1]


def _defines_at_top(code: str, language: str, name: str) -> bool:
    if language not in GRAMMARS:
        return True
    return any(name in statement.names for statement in statements(code, language) if statement.kind == "definition")


def _can_be_program(code: str, language: str) -> bool:
    """Return whether the code is more than values: a sample of output often parses."""
    if not code.strip():
        return False
    if language not in GRAMMARS:
        return True
    return any(node.type in PROGRAM_NODES for node in walk(tree_of(code, language)))


def _is_stub(code: str, language: str, name: str) -> bool:
    """Return whether the function's body is left out: a docstring, `pass` or dots."""
    if language != "python":
        return False
    for node in walk(tree_of(code, language)):
        field, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if node.type == "function_definition" and field is not None and body is not None and text_of(field) == name:
            return all(_says_nothing(child.type, text_of(child)) for child in body.named_children)
    return False


def _says_nothing(kind: str, text: str) -> bool:
    return kind in STUB_NODES or text == "..." or (kind == "expression_statement" and text[:1] in "'\"r")


def _without_broken_end(code: str, language: str, name: str) -> str:
    """Return code that breaks off behind the function's definition without the statement that breaks off."""
    if is_whole(code, language):
        return code
    if language != "python":
        whole = "\n".join(statement.text for statement in statements(code, language))
        return whole if defines(whole, language, name) else code
    lines = code.split("\n")
    for last in range(len(lines) - 1, max(len(lines) - MAX_STATEMENT_LINES, 0), -1):
        kept = "\n".join(lines[:last])
        if lines[last][:1].strip() and is_whole(kept, language):
            return f"{kept}\n" if defines(kept, language, name) else code
    return code


def _completed(code: str, others: Sequence[str], language: str) -> str:
    """Return the code below what it uses and does not define: imports and definitions of the other blocks."""
    offered = [statement for other in others for statement in statements(other, language) if statement.kind != "other"]
    own = statements(code, language)
    defined = {name for statement in own for name in statement.names if statement.kind == "definition"}
    present = {statement.text for statement in own}
    used, taken = names_used(code, language), []
    changed = bool(offered)
    while changed:
        changed = False
        for statement in reversed(offered):  # of two with one name the later counts
            wanted = statement.names & used if statement.kind == "import" else (statement.names & used) - defined
            if wanted and statement.text not in present and not statement.names & defined:
                taken.append(statement)
                present.add(statement.text)
                used |= names_used(statement.text, language)
                defined |= statement.names if statement.kind == "definition" else set()
                changed = True
    if not any(statement.kind == "definition" for statement in taken) and language != "python":
        return code
    if language in ("cpp", "rust", "php", "csharp"):  # what such imports bring cannot be told from their names
        taken += [each for each in offered if each.kind == "import" and each.text not in present]
    before = [statement for statement in offered if statement in taken]
    before.sort(key=lambda statement: statement.kind != "import")
    texts = list(dict.fromkeys(statement.text.rstrip("\n") for statement in before))
    return "\n".join([*texts, code]) if texts else code


def code_in_text(text: str, language: str, entry_point: str | None = None) -> str:
    """Return the statements that stand in a text without fences; the text itself if it is a program, or holds none."""
    if language == "bash":
        return _bash_in_text(text)
    if language not in GRAMMARS:
        return text
    if is_whole(text, language) and (entry_point is None or _defines_at_top(text, language, entry_point)):
        return text
    code = "\n".join(_statements_in(text.split("\n"), language))
    if not code or (entry_point is not None and not defines(code, language, entry_point)):
        return text
    return f"{code}\n"


def _statements_in(lines: list[str], language: str) -> Iterable[str]:
    """Yield the statements among lines of text: from a line that can begin one, to the first where it is whole."""
    start, number, attempts = re.compile(STARTS[language]), 0, 0
    while number < len(lines):
        line = lines[number]
        margin = len(line) - len(line.lstrip(" \t"))
        end = None
        if start.match(line, margin):
            for last in range(number, min(number + MAX_STATEMENT_LINES, len(lines))):
                after = next((line for line in lines[last + 1 :] if line.strip()), "")
                if after.strip() and (after[: margin + 1].strip() == "" or CONTINUED.match(after, margin)):
                    continue
                attempts += 1
                statement = [part[margin:] if not part[:margin].strip() else part for part in lines[number : last + 1]]
                if attempts > MAX_ATTEMPTS:
                    return
                if is_whole("\n".join(statement), language):
                    end = last
                    yield "\n".join(statement)
                    break
        number = number + 1 if end is None else end + 1


def _bash_in_text(text: str) -> str:
    start = BASH_START.search(text)
    if start is None:
        return text
    code = text[start.start() :]
    end = code.rfind("\n}")
    return code[: end + 2] + "\n" if end >= 0 and re.search(BASH_FUNCTION.format(name=r"[\w-]+"), code) else code
