"""Section 4.1: org.javatuples 1.2, as far as MultiPL-E's programs use it: our own classes for that public interface."""

from __future__ import annotations

import functools

NAMES = ("Unit", "Pair", "Triplet", "Quartet", "Quintet", "Sextet", "Septet", "Octet", "Ennead", "Decade")
TUPLE = """package org.javatuples;

import java.util.*;

public abstract class Tuple implements Iterable<Object>, Comparable<Tuple>, java.io.Serializable {
    private final List<Object> values;

    protected Tuple(Object... values) {
        this.values = Collections.unmodifiableList(Arrays.asList(values));
    }

    public final Object getValue(int position) {
        if (position < 0 || position >= values.size()) {
            throw new IllegalArgumentException("Cannot retrieve position " + position + " of " + this);
        }
        return values.get(position);
    }

    public abstract int getSize();

    public final Iterator<Object> iterator() {
        return values.iterator();
    }

    public final List<Object> toList() {
        return new ArrayList<>(values);
    }

    public final Object[] toArray() {
        return values.toArray();
    }

    public final boolean contains(Object value) {
        return values.contains(value);
    }

    public final boolean containsAll(Collection<?> others) {
        return values.containsAll(others);
    }

    public final int indexOf(Object value) {
        return values.indexOf(value);
    }

    public final int lastIndexOf(Object value) {
        return values.lastIndexOf(value);
    }

    @Override
    public final String toString() {
        return values.toString();
    }

    @Override
    public final int hashCode() {
        return 31 + values.hashCode();
    }

    @Override
    public final boolean equals(Object other) {
        return other != null && getClass() == other.getClass() && values.equals(((Tuple) other).values);
    }

    @Override
    @SuppressWarnings("unchecked")
    public int compareTo(Tuple other) {
        for (int i = 0; i < Math.min(getSize(), other.getSize()); i++) {
            int order = ((Comparable<Object>) values.get(i)).compareTo(other.values.get(i));
            if (order != 0) {
                return order;
            }
        }
        return Integer.compare(getSize(), other.getSize());
    }
}
"""


@functools.cache
def tuple_sources() -> dict[str, str]:
    """Return the path of each source file and its text."""
    files = {"org/javatuples/Tuple.java": TUPLE}
    for size, name in enumerate(NAMES, start=1):
        files[f"org/javatuples/{name}.java"] = _class(name, size)
    return files


def _class(name: str, size: int) -> str:
    kinds = [f"T{i}" for i in range(size)]
    generics = f"<{', '.join(kinds)}>"
    own = f"{name}{generics}"
    fields = "".join(f"    private final {kind} value{i};\n" for i, kind in enumerate(kinds))
    parameters = ", ".join(f"{kind} value{i}" for i, kind in enumerate(kinds))
    values = ", ".join(f"value{i}" for i in range(size))
    sets = "".join(f"        this.value{i} = value{i};\n" for i in range(size))
    methods = [
        f"    public {name}({parameters}) {{\n        super({values});\n{sets}    }}\n",
        f"    public static {generics} {own} with({parameters}) {{\n        return new {name}<>({values});\n    }}\n",
        f"    public int getSize() {{\n        return {size};\n    }}\n",
    ]
    for i in range(size):
        others = [f"value{j}" if j != i else "value" for j in range(size)]
        changed = f"{name}<{', '.join('X' if j == i else kind for j, kind in enumerate(kinds))}>"
        methods.append(f"    public {kinds[i]} getValue{i}() {{\n        return value{i};\n    }}\n")
        methods.append(
            f"    public <X> {changed} setAt{i}(X value) {{\n"
            f"        return new {name}<>({', '.join(others)});\n    }}\n"
        )
    if size < len(NAMES):
        grown = f"{NAMES[size]}<{', '.join([*kinds, 'X'])}>"
        methods.append(
            f"    public <X> {grown} add(X value) {{\n        return new {NAMES[size]}<>({values}, value);\n    }}\n"
        )
    return (
        f"package org.javatuples;\n\npublic final class {own} extends Tuple {{\n{fields}\n{chr(10).join(methods)}}}\n"
    )
