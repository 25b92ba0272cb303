"""Methods in Java: what is refused on sight."""

from datasets_builders.synthesis.program_analysis.extraction import Refusal


def test_a_class_named_as_one_of_the_library_is_left_alone(functions_of) -> None:
    """In its program all other code, `main(String[])` too, would mean this class."""
    source = "package java.lang;\nclass {name} {{\n    static int twice(int n) {{\n        return n * 2;\n    }}\n}}\n"
    assert not isinstance(functions_of("Java", source.format(name="Texts"))["twice"], Refusal)
    for name in ("String", "Math", "Objects"):
        found = functions_of("Java", source.format(name=name))["twice"]
        assert isinstance(found, Refusal) and (found.reason, found.detail) == ("named_as_library", name)
