r"""Section 2.2.2: how a sample says where a file starts. The paper does not tell its own.

| name | before the repository | before a file | origin |
| --- | --- | --- | --- |
| comment | nothing | a comment with the path, in the file's language | DeepSeek-Coder 2.2 |
| starcoder2 | `<repo_name>` and the name | `<file_sep>`, path | StarCoder2 |
| qwen | `<\|repo_name\|>` and the name | `<\|file_sep\|>`, path | Qwen2.5-Coder |
| ling | reserved token 4 and the name | reserved token 5, path | ours: reserved tokens without a meaning yet |
"""

from collections.abc import Callable
from dataclasses import dataclass

from datasets_builders.languages.comments import comment_line


@dataclass(frozen=True)
class Separators:
    """How files are told apart.

    Args:
        repository (function): name to what stands before the first file.
        file (function): path and language to what stands before a file.
        markers (tuple of `str`): strings that must not be in a file, or it could pass for two.
    """

    repository: Callable[[str], str]
    file: Callable[[str, str], str]
    markers: tuple[str, ...] = ()


def _marked(repository: str, file: str, after_name: str = "") -> Separators:
    return Separators(
        lambda name: f"{repository}{name}{after_name}", lambda path, language: f"{file}{path}\n", (repository, file)
    )


SEPARATORS = {
    "comment": Separators(lambda name: "", lambda path, language: comment_line(language, path)),
    "starcoder2": _marked("<repo_name>", "<file_sep>"),
    "qwen": _marked("<|repo_name|>", "<|file_sep|>", "\n"),
    "ling": _marked("<|reserved_token_4|>", "<|reserved_token_5|>", "\n"),
}
