"""Section 2.2.1: extensions that several languages share, told apart by the content.

For an extension the first line whose pattern is found names the language; a line without a pattern is the default, and
an extension without a default stays undecided. The patterns are ours; which extensions are shared is Linguist's data.
They are looked for in the first HEAD_CHARACTERS of a file, in time that grows with its length alone: parts that could
share the same characters stand in atomic groups or are possessive (`*+`).
"""

from __future__ import annotations

import re
from functools import cache

HEAD_CHARACTERS = 50_000

_CPP = (
    r"^\s*(?:namespace\b|template\s*<|class\s+\w+|using\s+(?:namespace\s+)?\w|(?:public|private|protected):|"
    r"#\s*include\s*<(?:iostream|string|vector|map|memory|algorithm|cstdint|cstddef)>)"
)
# A method starts a line: deeper in, a sign and a bracket go on with an expression of C++.
_OBJECTIVE_C = (
    r"^\s*(?:@(?:interface|implementation|protocol|property|class|import|end)\b|#import\b)|"
    r"^[-+]\s*\([\w\s*<>,^]+\)\s*\w"
)
_XML = r"\A\s*<(?:\?xml|!DOCTYPE|TS\b|tileset\b|\w++[^>]*?\bxmlns)"
_PERL = (
    r"^\s*(?:use\s+(?:strict|warnings|v?5|[A-Z]\w*(?:::\w+)*)\b|package\s+[\w:]+\s*;|(?:my|our)\s+[$@%]|"
    r"=(?:head1|pod)\b)"
)
_PROLOG = r"^\s*(?::-\s*\w|[a-z]\w*\([^)]{0,300}+\)\s*:-)"
_ASSEMBLY = (
    r"^\s*(?:\.(?:text|globl?|section|align|byte|macro)\b|(?:mov|push|pop|jmp|call|ret|xor|lea)\w*\s|"
    r"%(?:define|macro)\b|\w+\s+(?:equ|db|dw|dd)\s)"
)
_ROFF = r"\A(?:\.\\\"|'\\\"|\.(?:TH|SH|Dd|Dt|so|de|ds|nr|if)\b)"

# extension: (language, pattern) in the order in which they are tried
HEURISTICS: dict[str, tuple[tuple[str, str], ...]] = {
    ".asm": (
        ("Motorola 68K Assembly", r"^\s*(?:move|lea|bsr|jsr)(?:\.[bwl])?\s++[^,\n]*[ad][0-7]\b"),
        ("Assembly", ""),
    ),
    ".as": (("ActionScript", r"^\s*(?:package\b|import\s+(?:flash|mx)\.|public\s+class)"), ("AngelScript", "")),
    ".b": (("Brainfuck", r"\A[^\w]*[><+\-.,\[\]]{20,}"), ("Limbo", r"^\s*(?:implement\s+\w+;|include\s+\")")),
    ".bas": (
        ("VBA", r"^\s*Attribute VB_Name\b"),
        ("FreeBASIC", r"^\s*#(?:include|lang|define)\b"),
        ("QuickBASIC", r"^\s*(?:DECLARE (?:SUB|FUNCTION)|DEFINT|'?\$INCLUDE)\b"),
        ("BASIC", r"^\s*\d+\s+[A-Z]"),
    ),
    ".bb": (
        ("BitBake", r"^\s*(?:# |include\s|require\s)?(?:SUMMARY|DESCRIPTION|LICENSE|SRC_URI|inherit)\b"),
        ("Clojure", r"^\s*\((?:ns|def|defn|require)\b"),
        ("BlitzBasic", r"^\s*(?:Function|Global|Local|Include|Graphics)\b"),
    ),
    ".cairo": (("Cairo Zero", r"^\s*(?:%lang|from \w+\.\w+.* import|func \w+\{)"), ("Cairo", "")),
    ".cake": (("C#", r"^\s*(?:#(?:l|load|addin|tool)\b|var \w+\s*=|Task\()"), ("CoffeeScript", "")),
    ".cfg": (("HAProxy", r"^\s*(?:frontend|backend|defaults)\b"), ("INI", "")),
    ".cgi": (("Perl", _PERL), ("Python", r"^\s*(?:import|from|def)\s"), ("Shell", "")),
    ".cl": (
        ("Common Lisp", r"^\s*\((?:defun|defmacro|in-package|defpackage|defvar|defparameter)\b"),
        ("OpenCL", r"\b(?:__kernel|kernel\s+void|__global)\b"),
        ("Cool", r"^\s*class\s+\w+.*\{"),
    ),
    ".cls": (
        ("TeX", r"^\s*\\(?:NeedsTeXFormat|ProvidesClass|newcommand|def|documentclass)\b"),
        ("VBA", r"^(?:VERSION 1\.0 CLASS|Attribute VB_Name)"),
        ("OpenEdge ABL", r"(?i)^\s*(?:USING\s+Progress|ROUTINE-LEVEL|DEFINE\s+(?:VARIABLE|PUBLIC))\b"),
        ("Apex", r"(?i)^\s*(?:global|public|private|@isTest)\b.*\b(?:class|interface|enum)\b"),
        ("ObjectScript", r"^Class\s+[\w.%]+"),
    ),
    ".cs": (("Smalltalk", r"![\w\s]+methodsFor: "), ("C#", "")),
    ".d": (
        ("DTrace", r"^\s*(?:#pragma D |(?:BEGIN|END|\w*:\w*:\w*:\w*)\s*(?:/.*/\s*)?$)"),
        ("Makefile", r"^[\w./-]+\.o\s*:|\\[^\S\n]*\n\s*[\w./-]+\.h\b"),
        ("D", r"^\s*(?:module|import)\s+[\w.]++.*;|\b(?:void|int|auto)\s+\w+\s*\("),
    ),
    ".e": (("Eiffel", r"^\s*(?:note|indexing|feature|class)\s*$"), ("Euphoria", r"^\s*(?:include|global|procedure)\b")),
    ".ecl": (("ECLiPSe", r"^\s*:-"), ("ECL", "")),
    ".es": (("Erlang", r"^\s*(?:%%|-module|main\s*\(.*->)"), ("JavaScript", "")),
    ".ex": (("Elixir", r"^\s*(?:def|defmodule|use|@moduledoc|import)\b"), ("Euphoria", "")),
    ".f": (("Forth", r"^\s*: \S+"), ("Filebench WML", r"^\s*flowop\b"), ("Fortran", "")),
    ".for": (("Forth", r"^\s*: \S+"), ("Fortran", "")),
    ".frag": (("JavaScript", r"^\s*(?:\(function|var \w|function\s*\()"), ("GLSL", "")),
    ".fs": (
        ("GLSL", r"^\s*(?:#version|precision\s|uniform\s|varying\s|vec[234]\s|void\s+main)"),
        ("Forth", r"^\s*(?:: \S+|\\ )"),
        ("Filterscript", r"^\s*#pragma\s+(?:rs|version)\b"),
        ("F#", ""),
    ),
    ".gd": (("GAP", r"^\s*Declare(?:Operation|GlobalFunction|Category)\b"), ("GDScript", "")),
    ".gml": (("XML", _XML), ("Graph Modeling Language", r"^\s*graph\s*\["), ("Game Maker Language", "")),
    ".gs": (
        ("Genie", r"^\s*(?:uses\b|init\s*$|\[indent)"),
        ("GLSL", r"^\s*#version\b"),
        ("Gosu", r"^\s*uses\s+java\."),
        ("JavaScript", ""),
    ),
    ".h": (("Objective-C", _OBJECTIVE_C), ("C++", _CPP), ("C", "")),
    ".hh": (("Hack", r"\A<\?hh"), ("C++", "")),
    ".html": (("Ecmarkup", r"<emu-(?:alg|clause|intro)\b"), ("HTML", "")),
    ".i": (("SWIG", r"^\s*%(?:module|include|import|\{)"), ("Assembly", _ASSEMBLY)),
    ".inc": (
        ("PHP", r"\A\s*<\?(?:php|\s|$)"),
        ("BitBake", r"^\s*(?:SUMMARY|LICENSE|SRC_URI|inherit|PACKAGECONFIG)\b"),
        ("SourcePawn", r"^\s*(?:#if defined _\w+_included|native\s+\w+|methodmap\b)"),
        ("Assembly", _ASSEMBLY),
        ("Pascal", r"(?i)^\s*(?:\{\$|procedure\s+\w+|unit\s+\w+;|uses\s+\w+)"),
        ("C++", r"^\s*(?:#\s*(?:include|define|if)|template\s*<|static\s|namespace\b|//)"),
        ("SQL", r"(?i)^\s*(?:create|insert|select|drop|alter)\s+\w+"),
        ("HTML", r"\A\s*<[!a-zA-Z]"),
    ),
    ".j": (
        ("Objective-J", r"^\s*@(?:import|implementation)"),
        ("Jasmin", r"^\s*\.(?:class|super|method)"),
        ("JASS", ""),
    ),
    ".json": (("JSON", ""),),
    ".l": (
        ("Lex", r"^\s*%(?:\{|%|option)"),
        ("Roff", _ROFF),
        ("Common Lisp", r"^\s*\((?:def(?:un|macro|var)|in-package)"),
        ("PicoLisp", r"^\s*\((?:de|class|load)\s"),
    ),
    ".lisp": (("NewLisp", r"^\s*\((?:define|context)\b"), ("Common Lisp", "")),
    ".lsp": (("NewLisp", r"^\s*\((?:define|context)\b"), ("Common Lisp", "")),
    ".ls": (("LoomScript", r"^\s*package\s*\w*\s*\{"), ("LiveScript", "")),
    ".m": (
        ("Objective-C", _OBJECTIVE_C),
        ("Mercury", r"^\s*:- (?:module|interface|import_module)\b"),
        ("MUF", r"^\s*: \S+\s*$"),
        ("Limbo", r"^\s*\w+\s*:\s*module\s*\{"),
        ("Wolfram Language", r"\(\*|^\s*\w+\[.*\]\s*:?="),
        ("MATLAB", r"^\s*(?:%|function\b|classdef\b|end\s*$|\w+\s*=.*;)"),
        ("M", r"^\w*(?:[^\S\n]+|[^\S\n]*\n);"),
    ),
    ".m4": (("M4", ""),),
    ".md": (("GCC Machine Description", r"^\s*\(define_(?:insn|expand|mode_iterator)\b"), ("Markdown", "")),
    ".ml": (("Standard ML", r"^\s*(?:structure|signature|functor|val\s+\w+\s*=\s*fn)\b"), ("OCaml", "")),
    ".mm": (("XML", _XML), ("Objective-C++", "")),
    ".mod": (
        ("XML", _XML),
        ("Modula-2", r"^\s*(?:(?:IMPLEMENTATION\s+|DEFINITION\s+)?MODULE\s+\w+)\b"),
        ("NMODL", r"^\s*(?:NEURON|PARAMETER|BREAKPOINT)\s*\{"),
        ("AMPL", r"^\s*(?:param|set|var|minimize|maximize)\s+\w"),
        ("Linux Kernel Module", r"\A\S+\.ko\b"),
    ),
    ".mojo": (("XML", _XML), ("Mojo", "")),
    ".ms": (("Roff", _ROFF), ("Unix Assembly", _ASSEMBLY), ("MAXScript", r"^\s*(?:fn|rollout|struct)\s+\w+")),
    ".n": (("Roff", _ROFF), ("Nemerle", r"^\s*(?:using|namespace|module)\b")),
    ".ncl": (("XML", _XML), ("NCL", r"^\s*(?:begin|load\s+\"|undef\()"), ("Nickel", r"^\s*(?:let|import)\b")),
    ".p": (("Gnuplot", r"^\s*(?:set\s+\w|s?plot\s)"), ("OpenEdge ABL", r"(?i)^\s*(?:define|assign|for each|run)\b")),
    ".php": (("Hack", r"\A<\?hh"), ("PHP", "")),
    ".pl": (("Prolog", _PROLOG), ("Raku", r"^\s*use\s+v6\b"), ("Perl", "")),
    ".plist": (("XML Property List", _XML), ("OpenStep Property List", "")),
    ".pm": (("Raku", r"^\s*(?:use\s+v6\b|unit\s+(?:module|class))"), ("X PixMap", r"\A/\* XPM"), ("Perl", "")),
    ".pod": (("Pod 6", r"^=(?:begin pod|comment)\b"), ("Pod", "")),
    ".pp": (("Pascal", r"(?i)^\s*(?:unit|program|uses|\{\$)\b"), ("Puppet", "")),
    ".pro": (
        ("Prolog", _PROLOG),
        ("QMake", r"^\s*(?:QT|TEMPLATE|SOURCES|HEADERS|TARGET|CONFIG)\s*[+-]?="),
        ("Proguard", r"^\s*-(?:keep|dont|optimizations)"),
        ("IDL", r"(?i)^\s*(?:pro|function)\s+\w+"),
    ),
    ".properties": (("Java Properties", ""),),
    ".r": (("Rebol", r"(?i)\bRebol\s*\["), ("Rez", r"^\s*(?:#include\s+\"\w+\.r\"|resource\s+')"), ("R", "")),
    ".re": (("C++", r"/\*!re2c|^\s*#\s*include"), ("Reason", "")),
    ".res": (("XML", _XML), ("ReScript", "")),
    ".rpy": (("Ren'Py", r"^\s*(?:label\s+\w+:|init(?:\s+python)?:|define\s+\w+\s*=|screen\s+\w+)"), ("Python", "")),
    ".rs": (("XML", _XML), ("RenderScript", r"^\s*#pragma\s+(?:version|rs)\b|rs_allocation"), ("Rust", "")),
    ".s": (
        ("Motorola 68K Assembly", r"^\s*(?:move|bsr)\.[bwl]\s"),
        ("Unix Assembly", r"^\s*\.\w+|^\w+:"),
        ("Assembly", ""),
    ),
    ".sc": (("SuperCollider", r"^\s*(?:SynthDef|(?:\+\s*)?\w+\s*:\s*\w+\s*\{|\^this|\*new)"), ("Scala", "")),
    ".scd": (("Markdown", r"\A\s*#+\s"), ("SuperCollider", "")),
    ".scm": (("Tree-sitter Query", r"@(?:keyword|function|variable|string|comment)\b"), ("Scheme", "")),
    ".sls": (("Scheme", r"\A\s*\("), ("Salt", "")),
    ".sol": (("Gerber Image", r"\A[DGMT][0-9]{2}\*"), ("Solidity", "")),
    ".spec": (
        ("RPM Spec", r"^(?:Name|Version|Summary|Release):|^%(?:prep|build|install|files)"),
        ("Ruby", r"^(?>.*?\bdescribe\b).*?\bdo\b"),
        ("Python", ""),
    ),
    ".sql": (
        ("PLpgSQL", r"(?i)\bLANGUAGE\s+'?plpgsql|^\s*\$\$\s*$|\bRAISE NOTICE\b"),
        ("PLSQL", r"(?i)\bCREATE OR REPLACE (?:PACKAGE|PROCEDURE|TRIGGER)\b.*|\bDBMS_OUTPUT\b|\bEXECUTE IMMEDIATE\b"),
        ("TSQL", r"(?im)^\s*GO\s*$|\bBEGIN TRAN\b|\[dbo\]\."),
        ("SQL", ""),
    ),
    ".star": (("STAR", r"^(?:data_|loop_|_\w+\.)"), ("Starlark", "")),
    ".t": (
        ("Raku", r"^\s*use\s+v6\b"),
        ("Perl", _PERL),
        ("Terra", r"^\s*(?:local\s+\w+\s*=|terra\s+\w+)"),
        ("Turing", r"^\s*(?:var\s+\w+\s*:|put\s|end\s+if\b)"),
    ),
    ".toc": (("World of Warcraft Addon Data", r"^## "), ("TeX", r"^\\\w")),
    ".tpl": (("Go Template", r"\{\{-?\s*(?:\.|if|range|end|include|define)"), ("Smarty", "")),
    ".ts": (("XML", _XML), ("TypeScript", "")),
    ".tsx": (("XML", _XML), ("TSX", "")),
    ".txt": (("Adblock Filter List", r"\A\[Adblock"), ("Vim Help File", r"^(?>.*?vim:).*?\bft=help\b"), ("Text", "")),
    ".typ": (("XML", _XML), ("Typst", "")),
    ".v": (
        ("Rocq Prover", r"^\s*(?:Require|Lemma|Theorem|Definition|Inductive|Fixpoint|Proof\.|Qed\.)"),
        ("Verilog", r"^\s*(?:module\s+\w+|`timescale|`include|`define|endmodule|always\s*@)"),
        ("V", r"^\s*(?:fn|pub|mut|module|struct|import)\s"),
    ),
    ".vba": (("Vim script", r"^(?:UseVimball|\" Vimball)"), ("VBA", "")),
    ".w": (("OpenEdge ABL", r"^&(?:ANALYZE-SUSPEND|Scoped-define)"), ("CWeb", r"^@(?:<|\w+\.)")),
    ".x": (
        ("RPC", r"^\s*(?:program|version)\s+\w+\s*\{"),
        ("Logos", r"^\s*%(?:hook|ctor|end)\b"),
        ("Linker Script", r"^\s*(?:OUTPUT_ARCH|ENTRY|SECTIONS)\b"),
        ("DirectX 3D File", r"\Axof "),
    ),
    ".yaml": (("YAML", ""),),
    ".yml": (("YAML", ""),),
    ".yy": (("JSON", r"\A\s*\{\s*\""), ("Yacc", "")),
}
_MAN_PAGE = re.compile(r"\.(?:[1-9](?:in|m|x|p|pm|qt)?|man|mdoc)\Z")


@cache
def _compiled(extension: str) -> tuple[tuple[str, re.Pattern[str] | None], ...]:
    found = []
    for language, pattern in HEURISTICS.get(extension, ()):
        # Of lines without text each begins one more way to get to the first with some; one is enough.
        linear = pattern.replace(r"^\s*", r"^[^\S\n]*")
        found.append((language, re.compile(linear, re.MULTILINE) if pattern else None))
    return tuple(found)


def decide(extension: str, candidates: tuple[str, ...], content: str) -> str | None:
    """Return the one of several languages that a file is written in, or None where nothing tells.

    Args:
        extension (`str`): in small letters, with its dot.
        candidates: the languages that Linguist has for it.
        content (`str`): of the file.

    Source: Linguist's data for what is shared; the patterns are ours.
    """
    head = content[:HEAD_CHARACTERS]
    if _MAN_PAGE.search(extension) and "Roff" in candidates:
        return "Roff Manpage" if re.search(r"^\.(?:TH|Dt)\b", head, re.MULTILINE) else "Roff"
    for language, pattern in _compiled(extension):
        if pattern is None or pattern.search(head):
            return language
    return None
