"""A language whose toolchain is missing is an error, never a dataset without it."""

import pytest

from datasets_builders.building.errors import ConfigError
from datasets_builders.released.synthetic_qa import SyntheticQAConfig
from datasets_builders.synthesis.program_analysis.other_languages.toolchains import check_toolchains


def test_a_missing_toolchain_is_named_with_what_installs_it_and_what_does_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LING_TOOLCHAINS_DIR", str(tmp_path))
    check_toolchains(["Python"])
    with pytest.raises(ConfigError, match=r"bash evals/toolchains\.sh javascript.*program_languages=\[Python\]"):
        check_toolchains(["JavaScript", "Python"])


def test_a_language_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="COBOL; known are Python, JavaScript, TypeScript, Java, Go, C"):
        SyntheticQAConfig(input="code", output_dir="out", program_languages=["Python", "COBOL"]).validate()
