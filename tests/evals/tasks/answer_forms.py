"""Forms in which chat models write a function of Python: a name, and what makes an answer of the whole function.

Each is a kind that users of other harnesses reported, or that models were seen to write. `code` is a module that
defines the function `name`.
"""

from collections.abc import Callable
from textwrap import dedent, indent

Form = Callable[[str, str], str]


def fenced(code: str, label: str = "python", fence: str = "```") -> str:
    return f"{fence}{label}\n{code.rstrip()}\n{fence}\n"


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


def with_fenced_docstring(code: str, name: str) -> str:
    text = f'"""\nUse it so:\n```python\n{name}()\n```\n"""\n{code}'
    return fenced(text)


def with_fence_in_function(code: str, name: str) -> str:
    extra = 'def _shown():\n    """\n    ```\n    a table\n    ```\n    """\n    return 1\n'
    return fenced(f"{extra}\n{code}")


WRONG = "def {name}(*args, **kwargs):\n    return object()\n"
DEMO = "\n\nprint({name}.__name__)\nassert {name}\n"
GUARD = "\n\nif __name__ == '__main__':\n    n = int(input())\n    print({name}(n))\n"
FORMS: dict[str, Form] = {
    "fence": lambda code, name: f"Here it is:\n\n{fenced(code)}\nIt works.",
    "label py": lambda code, name: fenced(code, "py"),
    "label Python3": lambda code, name: fenced(code, "Python3"),
    "label python3.11": lambda code, name: fenced(code, "python3.11"),
    "label python:solution.py": lambda code, name: fenced(code, "python:solution.py"),
    "label {.python .numberLines}": lambda code, name: fenced(code, "{.python .numberLines}"),
    "label with a title": lambda code, name: fenced(code, 'python title="a.py"'),
    "no label": lambda code, name: fenced(code, ""),
    "space before the label": lambda code, name: fenced(code, " python"),
    "tildes": lambda code, name: fenced(code, fence="~~~"),
    "four backticks": lambda code, name: fenced(code, fence="````"),
    "four backticks, three at the end": lambda code, name: f"````python\n{code}\n```\nDone.",
    "text and fence on one line": lambda code, name: f"Here is the code: ```python\n{code}\n```\nIt works.",
    "bold text and fence on one line": lambda code, name: f"**Solution:** ```python\n{code}\n```\n",
    "closing fence on a line of code": lambda code, name: f"```python\n{code.rstrip()}```\nIt works.",
    "closing fence and text on one line": lambda code, name: f"```python\n{code.rstrip()}\n``` This works.",
    "no closing fence": lambda code, name: f"```python\n{code}",
    "no closing fence, and a second block": lambda code, name: f"```python\n{code}\n```python\n{name}\n```\n",
    "code on the line of the fence": lambda code, name: f"```python {code.strip()}\n```",
    "list item": lambda code, name: f"1. First:\n\n   {indent(fenced(code), '   ').lstrip()}",
    "list item, fence behind the number": lambda code, name: "1. " + indent(fenced(code), "   ").lstrip(),
    "bullet": lambda code, name: f"- {indent(fenced(code), '  ').lstrip()}",
    "list item, code at the margin": lambda code, name: f"1. So:\n   ```python\n{code.rstrip()}\n   ```\n",
    "quotation": lambda code, name: f"They say:\n\n{quoted(fenced(code))}\nDone.",
    "in markdown": lambda code, name: f"```markdown\nThe answer:\n{fenced(code)}```\n",
    "a docstring of the module with a fence": with_fenced_docstring,
    "a docstring of a function with a fence": with_fence_in_function,
    "a comment with a fence": lambda code, name: fenced(f"# ```\n# {name}\n# ```\n{code}"),
    "CRLF": lambda code, name: f"So:\n\n{fenced(code)}Done.".replace("\n", "\r\n"),
    "BOM": lambda code, name: "\ufeff" + fenced(code),
    "<|im_end|> behind the fence": lambda code, name: fenced(code).rstrip() + "<|im_end|>",
    "<|im_end|> and a turn more": lambda code, name: f"{fenced(code)}<|im_end|>\n<|im_start|>user\n{fenced('x')}",
    "<|eot_id|> behind code without a fence": lambda code, name: f"{code}<|eot_id|>",
    "</s>": lambda code, name: fenced(code).rstrip() + "</s>",
    "[PYTHON]": lambda code, name: f"[PYTHON]\n{code}\n[/PYTHON]",
    "[PYTHON], not closed": lambda code, name: f"Sure. [PYTHON]\n{code}",
    "[BEGIN] and [DONE]": lambda code, name: f"[BEGIN]\n{code}\n[DONE]",
    "<code>": lambda code, name: f"<code>\n{code}\n</code>",
    "<pre><code class>": lambda code, name: f'<pre><code class="language-python">\n{code}\n</code></pre>',
    "<code> around a fence": lambda code, name: f"<code>\n{fenced(code)}</code>",
    "no fence": lambda code, name: code,
    "no fence, text before": lambda code, name: f"Here is the solution:\n\n{code}",
    "no fence, text around": lambda code, name: f"Here is the solution:\n\n{code}\n\nIt returns what was asked for.\n",
    "no fence, a list behind": lambda code, name: f"{code}\n\nExplanation:\n1. It's right.\n2. That's it.\n",
    "helper in a block of its own": lambda code, name: fenced("def _one():\n    return 1") + "Then:\n" + fenced(
        code.replace(f"def {name}(", f"_unused = _one()\n\ndef {name}(")
    ),
    "helper in a later block": lambda code, name: fenced(
        code.replace(f"def {name}(", f"_unused = lambda: _one()\n\ndef {name}(")
    ) + "with\n" + fenced("import math\n\ndef _one():\n    return math.pi"),
    "imports in a block of their own": lambda code, name: fenced("import math\nfrom typing import List") + fenced(
        code.replace(f"def {name}(", f"_unused = math.pi\n\ndef {name}(")
    ),
    "wrong first, corrected": lambda code, name: fenced(WRONG.format(name=name)) + "No:\n" + fenced(code),
    "use in a last block": lambda code, name: fenced(code) + "Use:\n" + fenced(f"print({name})"),
    "output in a last block": lambda code, name: fenced(code) + "Output:\n" + fenced("True", ""),
    "table in a last block": lambda code, name: fenced(code) + fenced("a | b\n1 | 2", ""),
    "shell in a first block": lambda code, name: fenced("pip install x", "bash") + fenced(code),
    "a stub in a last block": lambda code, name: fenced(code) + "Signature:\n" + fenced(f"def {name}(x):\n    ..."),
    "a sketch in another language last": lambda code, name: fenced(code) + fenced(f"function {name}() {{}}", "js"),
    "demonstration": lambda code, name: fenced(code + DEMO.format(name=name)),
    "demonstration that fails": lambda code, name: fenced(f"{code}\n\nassert {name} == 1, 'demo'\n"),
    "input() at the top level": lambda code, name: fenced(f"{code}\n\nn = int(input())\nprint({name}(n))\n"),
    "input() in a function called": lambda code, name: fenced(
        f"{code}\n\ndef main():\n    print({name}(int(input())))\n\nmain()\n"
    ),
    "main guard": lambda code, name: fenced(code + GUARD.format(name=name)),
    "main guard that exits": lambda code, name: fenced(
        f"import sys\n{code}\n\nif __name__ == '__main__':\n    sys.exit({name})\n"
    ),
    "from __future__": lambda code, name: fenced(f"from __future__ import annotations\n{code}"),
    "numpy": lambda code, name: fenced(f"import numpy as np\n{code}"),
    "prompt signs": lambda code, name: fenced(
        "".join(f"{'...' if line[:1] in ' )' else '>>>'} {line}\n" for line in code.splitlines() if line.strip())
        + f">>> {name}(1)\n1"
    ),
    "<think>": lambda code, name: f"<think>\nLet me see.\n{fenced(WRONG.format(name=name))}</think>\n{fenced(code)}",
    "<think>, no fence after": lambda code, name: f"<think>\n{fenced(WRONG.format(name=name))}</think>\n\n{code}",
    "</think> alone": lambda code, name: f"So\n{fenced(WRONG.format(name=name))}\n</think>\n\n{fenced(code)}",
    "[THINK]": lambda code, name: f"[THINK]{fenced(WRONG.format(name=name))}[/THINK]{fenced(code)}",
    "channels": lambda code, name: (
        f"<|channel|>analysis<|message|>{fenced(WRONG.format(name=name))}<|end|>"
        f"<|start|>assistant<|channel|>final<|message|>{fenced(code)}<|return|>"
    ),
    "smart quotes in a comment": lambda code, name: fenced(f"# it\u2019s \u201cok\u201d \U0001f600\n{code}"),
    "half a surrogate pair": lambda code, name: fenced(f"# \ud83d\n{code}"),
    "cut off in a demonstration": lambda code, name: f"```python\n{code}\n\nprint({name}(1, (2,",
    "cut off in text": lambda code, name: f"{fenced(code)}\nThis ```python",
}  # fmt: skip
# The same, from which nothing may be taken.
UNANSWERED: dict[str, Form] = {
    "<think> that never closes": lambda code, name: f"<think>\n{fenced(code)}\nHmm wait, let me check",
    "<think> that never closes, no fence": lambda code, name: f"<think>{code}",
    "an analysis without a final": lambda code, name: f"<|channel|>analysis<|message|>{fenced(code)}",
    "nothing": lambda code, name: " \n",
    "a right draft, a wrong answer": lambda code, name: (
        f"<think>\n{fenced(code)}</think>\n{fenced(WRONG.format(name=name))}"
    ),
    "exit(0)": lambda code, name: fenced(f"exit(0)\n{code}"),
    "a method of a class": lambda code, name: fenced(f"class Solution:\n{indent(dedent(code), '    ')}"),
}
