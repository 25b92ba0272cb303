"""Methods in Java: what is refused on sight."""

from datasets_builders.synthesis.program_analysis.extraction import Refusal


def test_a_class_named_as_one_of_the_library_is_left_alone(functions_of) -> None:
    """In its program all other code, `main(String[])` too, would mean this class."""
    source = "package java.lang;\nclass {name} {{\n    static int twice(int n) {{\n        return n * 2;\n    }}\n}}\n"
    assert not isinstance(functions_of("Java", source.format(name="Texts"))["twice"], Refusal)
    for name in ("String", "Math", "Objects"):
        found = functions_of("Java", source.format(name=name))["twice"]
        assert isinstance(found, Refusal) and (found.reason, found.detail) == ("named_as_library", name)


INSTANCE = """
class Texts implements Marked {
    private static final int LIMIT = 3;
    private final String mark;
    Texts(String mark) { this.mark = mark; }
    @Override
    public String cut(String text) {
        return text.length() > LIMIT ? text.substring(0, limit(text)) : text;
    }
    int limit(String text) { return Math.min(LIMIT, text.length()); }
    String marked(String text) {
        return mark + cut(text);
    }
}
"""


def test_methods_of_objects_are_called_on_a_new_one_if_they_read_nothing_of_it(functions_of) -> None:
    found = functions_of("Java", INSTANCE)
    sample = found["cut"]
    assert not isinstance(sample, Refusal)
    assert sample.called == "new Texts().cut" and sample.helpers == ("limit",)
    assert "@Override" not in sample.code and "this" not in sample.code and "String cut(String text)" in sample.code
    assert isinstance(found["marked"], Refusal) and found["marked"].reason == "instance_state"
