"""Section 2.2.1: extensions that several languages share, told apart by the content.

For an extension the first line whose pattern is found names the language; a line without a pattern is the default, and
an extension without a default stays undecided. The patterns are ours; which extensions are shared is Linguist's data.
They are looked for in the first HEAD_CHARACTERS of a file, without its comments where those are told by COMMENTS: prose
may look like any language ("using this", Doxygen's `@class`). All takes time that grows with the length alone: parts
that could share the same characters stand in atomic groups or are possessive (`*+`).
"""

from __future__ import annotations

import re
from functools import cache

HEAD_CHARACTERS = 50_000

# What is begun and not ended goes on to the end of the file.
_C_COMMENTS = r"//[^\n]*+|/\*[^*]*+\*++(?:[^/*][^*]*+\*++)*+/|/\*(?s:.*)"
_ML_COMMENTS = r"\(\*(?!\))[^*]*+\*++(?:[^)*][^*]*+\*++)*+\)|\(\*(?!\))(?s:.*)"
_LISP_COMMENTS = r";[^\n]*+|#\|[^|]*+\|++(?:[^#|][^|]*+\|++)*+#|#\|(?s:.*)"
# extension: what is left out before its patterns are tried
COMMENTS: dict[str, str] = {
    **dict.fromkeys((".h", ".m", ".d", ".inc", ".as", ".gs", ".sc", ".x", ".frag", ".re", ".mqh", ".qs"), _C_COMMENTS),
    **dict.fromkeys((".v", ".fs"), f"{_C_COMMENTS}|{_ML_COMMENTS}"),
    ".ml": _ML_COMMENTS,
    **dict.fromkeys((".lisp", ".lsp"), _LISP_COMMENTS),
    ".cl": f"{_C_COMMENTS}|{_LISP_COMMENTS}",
    **dict.fromkeys((".pl", ".pro"), r"(?m:^[^\S\n]*+[%#][^\n]*+)"),
}
_CPP = (
    r"^\s*(?:(?:inline\s+)?namespace\b|template\s*<|class\s+\w+|using\s+(?:namespace\s|\w+\s*=|\w+(?:::\w+)+\s*;)|"
    r"(?:public|private|protected)(?:\s+\w+)?:|(?:static\s+)?constexpr\b|virtual\s+[\w~]|(?:try|catch)\b|"
    r"#\s*include\s*<(?:[\w/]+|[\w/.-]+\.h(?:pp|xx|h))>)|\w::[~\w]|\btypename\s+\w|\boperator\s*[-+*/=<>!(\[]"
)
# A method starts a line: deeper in, a sign and a bracket go on with an expression of C++.
_OBJECTIVE_C = (
    r"^\s*(?:@(?:interface|implementation|protocol|property|class|import|end)\b|#import\b)|"
    r"^[-+]\s*\([\w\s*<>,^]+\)\s*\w"
)
_XML = r"\A\s*<(?:\?xml|!DOCTYPE|TS\b|tileset\b|\w++[^>]*?\bxmlns)"
_PERL = (
    r"^\s*(?:use\s+(?:strict|warnings|v?5|[A-Z]\w*(?:::\w+)*)\b|package\s+[\w:]+\s*;|(?:my|our)\s+[$@%(]|"
    r"=(?:head1|pod)\b)"
)
_PROLOG = r"^\s*(?::-\s*\w|[a-z]\w*\([^)]{0,300}+\)\s*:-)"
_ASSEMBLY = (
    r"^\s*(?:\.(?:text|globl?|section|align|byte|macro)\b|(?:mov|push|pop|jmp|call|ret|xor|lea)\w*\s|"
    r"%(?:define|macro)\b|\w+\s+(?:equ|db|dw|dd)\s)"
)
_ROFF = r"\A(?:\.\\\"|'\\\"|\.(?:TH|SH|Dd|Dt|so|de|ds|nr|if)\b)"

_LISPS = (
    (
        "Common Lisp",
        r"^\s*\((?:in-package|def(?:un|macro|package|struct|class|method|generic|var|parameter|type|system))\b",
    ),
    ("NewLisp", r"^\s*\((?:define|context)\s"),
    ("Common Lisp", ""),
)

# extension: (language, pattern) in the order in which they are tried
HEURISTICS: dict[str, tuple[tuple[str, str], ...]] = {
    ".asm": (
        ("Motorola 68K Assembly", r"^\s*(?:move|lea|bsr|jsr)(?:\.[bwl])?\s++[^,\n]*[ad][0-7]\b"),
        ("Assembly", ""),
    ),
    ".as": (
        (
            "ActionScript",
            r"^\s*(?:package\b|import\s+(?:flash|mx)\.|(?:public|private|internal)\s+(?:static\s+)?(?:class|var|function)\b)|"
            r"\)\s*:\s*(?:int|void|String|Number|Boolean|\*)",
        ),
        ("AngelScript", ""),
    ),
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
        ("Common Lisp", r"^\s*\((?:def[\w*-]+|in-package|eval-when|declaim|use-package|require)\s"),
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
        ("Makefile", r"^[\w./-]+\.\w+\s*:\s|\\[^\S\n]*\n\s*[\w./-]+\.h\b"),
        (
            "D",
            r"^\s*(?:module|import)\s+[\w.]++.*;|\b(?:void|int|auto|bool|string|size_t)\s+\w+\s*\(|\bunittest\b|"
            r"^\s*(?:(?:private|public|export)\s+)?(?:struct|class|interface|template|enum|alias|version|extern)\b",
        ),
    ),
    ".e": (("Eiffel", r"^\s*(?:note|indexing|feature|class)\s*$"), ("Euphoria", r"^\s*(?:include|global|procedure)\b")),
    ".ecl": (("ECLiPSe", r"^\s*:-"), ("ECL", "")),
    ".es": (("Erlang", r"^\s*(?:%%|-module|main\s*\(.*->)"), ("JavaScript", "")),
    ".ex": (("Elixir", r"^\s*(?:def|defmodule|use|@moduledoc|import)\b"), ("Euphoria", "")),
    ".f": (("Forth", r"^\s*: \S+"), ("Filebench WML", r"^\s*flowop\b"), ("Fortran", "")),
    ".for": (("Forth", r"^\s*: \S+"), ("Fortran", "")),
    ".frag": (("JavaScript", r"^\s*(?:\(function|var \w|function\s*\()"), ("GLSL", "")),
    ".fs": (
        ("Forth", r"^(?:: \S|\\ |new-device)"),
        ("Filterscript", r"^\s*#pragma\s+(?:rs|version)\b"),
        (
            "GLSL",
            r"^\s*(?:#version|precision\s+\w+p\s|(?:uniform|varying|attribute|in|out)\s+(?:\w+p\s+)?(?:vec|mat|float|sampler|int)"
            r"\w*\s+\w|vec[234]\s|void\s+main\s*\()",
        ),
        ("F#", ""),
    ),
    ".gd": (("GAP", r"^\s*Declare(?:Operation|GlobalFunction|Category)\b"), ("GDScript", "")),
    ".gml": (("XML", _XML), ("Graph Modeling Language", r"^\s*graph\s*\["), ("Game Maker Language", "")),
    ".gs": (
        ("Gosu", r"^\s*uses\s+\w+\.[\w.]+"),
        ("Genie", r"^\s*(?:uses\b|init\s*$|\[indent)"),
        ("GLSL", r"^\s*#version\b"),
        ("JavaScript", ""),
    ),
    ".h": (("Objective-C", _OBJECTIVE_C), ("C++", _CPP), ("C", "")),
    ".hh": (("Hack", r"\A<\?hh"), ("C++", "")),
    ".html": (("Ecmarkup", r"<emu-(?:alg|clause|intro)\b"), ("HTML", "")),
    ".i": (("SWIG", r"^\s*%(?:module|include|import|\{)"), ("Assembly", _ASSEMBLY)),
    ".inc": (
        ("PHP", r"^\s*<\?(?:php|=|\s|$)"),
        ("BitBake", r"^\s*(?:SUMMARY|LICENSE|SRC_URI|inherit|PACKAGECONFIG)\b"),
        ("SourcePawn", r"^\s*(?:#if defined _\w+_included|native\s+\w+|methodmap\b)"),
        ("POV-Ray SDL", r"^\s*#\s*(?:declare|local|macro|while)\b"),
        (
            "Pascal",
            r"(?i)^\s*(?:\{\$|\{\*|procedure\s+\w+|function\s+\w+[^\n:]*:\s*\w+\s*;|unit\s+\w+;|uses\s+\w+|"
            r"(?:begin|type|const|var|implementation|interface|asm)\s*$|end;)",
        ),
        ("Assembly", _ASSEMBLY),
        ("C++", r"^\s*(?:#\s*(?:include|define|undef|if|ifdef|ifndef|pragma)\b|template\s*<|static\s|namespace\b)"),
        ("SQL", r"(?i)^\s*(?:create|insert|select|drop|alter)\s+\w+"),
        ("HTML", r"\A\s*<[!a-zA-Z]"),
        # Tables that C includes: numbers, rows in braces, calls of a macro.
        (
            "C++",
            r"^\s*(?:(?:0[xX][0-9a-fA-F]++|[-+]?\d[\d.]*+(?:[eE][-+]?\d+)?)[fFuUlL]*+\s*(?:,|\Z)|\{[^{}\n]*,[^\n]*\}|"
            r"[A-Z_]\w*[^\S\n]*\([^\n]*\)[,;]?[^\S\n]*$|\w[\w *&]*\([^\n]*\)[^\S\n]*[;{])",
        ),
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
    ".lisp": _LISPS,
    ".lsp": _LISPS,
    ".ls": (("LoomScript", r"^\s*package\s*\w*\s*\{"), ("LiveScript", "")),
    ".m": (
        ("Objective-C", _OBJECTIVE_C),
        ("Mercury", r"^\s*:- (?:module|interface|import_module)\b"),
        ("MUF", r"^\s*: \S+\s*$"),
        ("Limbo", r"^\s*\w+\s*:\s*module\s*\{"),
        ("Wolfram Language", r"^\s*\(\*|\*\)\s*$|^\s*\w+\[[^\]\n]*\]\s*:="),
        ("M", r"\A%?[A-Za-z]\w*(?:\([\w,]*\))?[^\S\n]+;"),
        ("MATLAB", ""),
    ),
    ".m4": (("M4Sugar", r"^\s*(?:A[CMSX]_[A-Z]\w*|m4_\w+|dnl A[CM]_)\b"), ("M4", "")),
    ".md": (("GCC Machine Description", r"^\s*\(define_(?:insn|expand|mode_iterator)\b"), ("Markdown", "")),
    ".ml": (
        ("OCaml", r"^(?:let\s+(?:rec\s+)?[\w(]|module\s+(?:type\s+)?[A-Z]|external\s)"),
        ("Standard ML", r"^\s*(?:structure|signature|functor|fun|val\s+\w+\s*=\s*fn)\b"),
        ("OCaml", ""),
    ),
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
        ("QMake", r"^\s*(?:QT|TEMPLATE|SOURCES|HEADERS|TARGET|CONFIG|SUBDIRS|DEFINES|LIBS|INCLUDEPATH)\s*[+-]?="),
        ("Proguard", r"^\s*-(?:keep|dont|optimizations)"),
        ("IDL", r"(?i)^\s*(?:pro|function)\s+\w+"),
    ),
    ".properties": (("Java Properties", ""),),
    ".r": (("Rebol", r"(?i)^\s*Rebol\s*\["), ("Rez", r"^\s*(?:#include\s+\"\w+\.r\"|resource\s+')"), ("R", "")),
    ".re": (("C++", r"/\*!re2c|^\s*#\s*include"), ("Reason", "")),
    ".res": (("XML", _XML), ("ReScript", "")),
    ".rpy": (("Ren'Py", r"^\s*(?:label\s+\w+:|init(?:\s+python)?:|define\s+\w+\s*=|screen\s+\w+)"), ("Python", "")),
    ".rs": (("XML", _XML), ("RenderScript", r"^\s*#pragma\s+(?:version|rs)\b|rs_allocation"), ("Rust", "")),
    ".s": (
        ("Motorola 68K Assembly", r"^\s*(?:move|bsr)\.[bwl]\s"),
        ("Assembly", r"^\s*(?:%(?:define|macro|include)|section\s+\.|global\s|\[?bits\s|segment\s)"),
        ("Unix Assembly", ""),
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
        (
            "Rocq Prover",
            r"^\s*(?:(?:Local|Global|Program|Polymorphic|#\[[^\]\n]*\])\s+)*(?:Require|From\s+\w+|Lemma|Theorem|Definition|"
            r"Inductive|Fixpoint|Proof\b|Qed\.|Record|Class|Instance|Module\s+(?:Type\s+)?[A-Z]|Section\s+\w+\.|Notation|"
            r"Ltac|Axiom|Variables?\s|Parameter\s|Hint\s|Coercion\s|Canonical\s|Export\s|Import\s)",
        ),
        ("V", r"^(?:pub\s+)?(?:fn\s+[\w(]|struct\s+\w+\s*\{|enum\s+\w+\s*\{|import\s+[\w.]+\s*$|const\s*\()"),
        (
            "Verilog",
            r"^\s*(?:module\s+\w+|primitive\s|`\w+|endmodule|always\b|assign\s|(?:input|output|inout|wire|reg)\s|"
            r"parameter\s|localparam\s|initial\s|generate\s|function\s)",
        ),
        ("V", r"^\s*(?:mut|module|struct|import)\s"),
    ),
    ".vba": (("Vim script", r"^(?:UseVimball|\" Vimball)"), ("VBA", "")),
    ".w": (("OpenEdge ABL", r"^&(?:ANALYZE-SUSPEND|Scoped-define)"), ("CWeb", r"^@(?:<|\w+\.)")),
    ".x": (
        ("RPC", r"^\s*(?:program|version)\s+\w+\s*\{"),
        ("Logos", r"^\s*%(?:hook|ctor|end)\b"),
        ("Linker Script", r"^\s*(?:OUTPUT_ARCH|ENTRY|SECTIONS)\b"),
        ("DirectX 3D File", r"\Axof "),
    ),
    ".al": (("AL", r"(?i)^\s*(?:codeunit|table|page|report|query|enum)(?:extension)?\s+\d+\b"), ("Perl", _PERL)),
    ".asc": (
        ("Public Key", r"^-----BEGIN|^ssh-"),
        ("AsciiDoc", r"^(?:[=-]{3,}\s*$|=+\s+\w)|\{\w+\}|^\[\w+"),
        ("AGS Script", r"^\s*(?:function|import|struct)\s+\w+"),
    ),
    ".ash": (
        ("KoLmafia ASH", r"^\s*(?:script\s+\"|notify\s|import\s+<)|\b(?:item|familiar|skill|monster)\s+\w+\s*[;=]"),
        ("AGS Script", ""),
    ),
    ".asy": (("LTspice Symbol", r"^SymbolType[^\S\n]|^Version 4"), ("Asymptote", "")),
    ".bf": (
        ("Beef", r"^\s*(?:using\s+\w|namespace\s+\w)"),
        ("HyPhy", r"(?i)\bfprintf\s*\(|^\s*function\s+\w+\s*\(|LIKELIHOOD"),
        ("Brainfuck", r"[><+\-.,\[\]]{4,}"),
    ),
    ".bi": (("FreeBASIC", r"(?i)^\s*#(?:define|ifndef|include|inclib|lang)\b"), ("QuickBASIC", "")),
    ".brd": (("Eagle", r"<!DOCTYPE eagle|\A\s*<\?xml"), ("KiCad Legacy Layout", "")),
    ".bs": (
        ("Bikeshed", r"^\s*(?:<pre\s+class=['\"]?(?:metadata|anchors|biblio)|<h1)"),
        ("BrighterScript", r"(?i)^\s*(?:sub|function|class|namespace|import|library|end\s+(?:sub|function))\b"),
        ("Bluespec BH", ""),
    ),
    ".bst": (("BuildStream", r"^kind:\s"), ("BibTeX Style", "")),
    ".ch": (
        ("xBase", r"(?i)^\s*#\s*(?:if|ifdef|ifndef|define|command|xcommand|translate|include|undef)\b"),
        ("Charity", ""),
    ),
    ".cp": (("Component Pascal", r"^\s*MODULE\s+\w+"), ("C++", "")),
    ".cue": (("Cue Sheet", r"(?i)^\s*(?:REM|TITLE|PERFORMER|FILE|TRACK)\s+\S"), ("CUE", "")),
    ".csl": (("XML", _XML), ("Kusto", "")),
    ".ddl": (("PLSQL", r"(?i)\b(?:XMLTYPE|SYSDATE|VARCHAR2|NUMBER\s*\(|AUTHID|CREATE OR REPLACE)\b"), ("SQL", "")),
    ".dsc": (
        ("Debian Package Control File", r"^(?:Format|Source|Binary|Architecture|Checksums-\w+):"),
        ("DenizenScript", ""),
    ),
    ".dsp": (("Microsoft Developer Studio Project", r"\A\s*# Microsoft (?:Developer Studio|eMbedded)"), ("Faust", "")),
    ".fcgi": (("Perl", _PERL), ("Python", r"^\s*(?:import|from|def)\s"), ("PHP", r"^\s*<\?php"), ("Shell", "")),
    ".fpp": (
        ("Fortran", r"(?i)^[c*][^a-z]|^\s*(?:subroutine|program|end|module|integer|real|use)\b"),
        ("FPP", r"^\s*(?:module|component|port|topology|enum|instance)\s+\w+"),
    ),
    ".fr": (
        ("Forth", r"^(?:: |variable |hex\b|decimal\b|also |new-device)"),
        ("Frege", r"^\s*(?:import|module|package|data|type)\s+\w|::\s"),
        ("Text", ""),
    ),
    ".frm": (
        ("VBA", r"^\s*Begin\s+\{[0-9A-F-]*\}"),
        ("Visual Basic 6.0", r"^\s*Begin\s+(?:VB|MS)\w*\.\w+|^VERSION 5"),
        ("INI", r"^\s*\[\w+\]|^TYPE="),
    ),
    ".ftl": (("FreeMarker", r"<(?:#|@)|\$\{|\[#"), ("Fluent", "")),
    ".fx": (("HLSL", r"\b(?:float[234]|technique|sampler\w*|cbuffer|texture)\b"), ("FLUX", "")),
    ".g": (
        ("GAP", r"\b(?:Declare|Install|Bind)\w+\(|:=\s*function\b|^\s*(?:Read|gap>|LoadPackage|InstallMethod)\b"),
        ("G-code", r"^\s*(?:[MG]\d+|N\d+\s+[MG])\b"),
    ),
    ".gst": (("XML", _XML), ("Gosu", "")),
    ".gts": (("Gerber Image", r"^G0.$|^%"), ("Glimmer TS", "")),
    ".ice": (("JSON", r"\A\s*[{\[]\s*[\"{\]]"), ("Slice", "")),
    ".jq": (("JSONiq", r"^\s*(?:jsoniq version|xquery version|import module|declare |let \$|for \$)"), ("jq", "")),
    ".k": (("KFramework", r"^\s*(?:module\s+[A-Z]|endmodule|requires\s+\"|syntax\s|rule\s)"), ("KCL", "")),
    ".ks": (
        ("Kickstart", r"^\s*(?:%(?:packages|post|pre|include)|rootpw|bootloader|clearpart|repo|autopart)\b"),
        ("KerboScript", ""),
    ),
    ".lean": (
        (
            "Lean 4",
            r"^\s*(?:import\s+(?:Mathlib|Lean|Std|Batteries|Init|Lake)\b|module\b)|:=\s*by\s*$|\bfun\s[^\n,]*=>|\bwhere\s*$",
        ),
        ("Lean", ""),
    ),
    ".mask": (("Unity3D Asset", r"\A%YAML|tag:unity3d"), ("Mask", "")),
    ".mc": (
        ("Win32 Message File", r"(?i)^\s*(?:MessageId|MessageIdTypedef|SymbolicName|LanguageNames|SeverityNames)\s*="),
        ("Monkey C", r"\b(?:using|module|function|class|var)\s+\w"),
        ("M4", r"^dnl\b|^\s*(?:define|divert)\("),
    ),
    ".mo": (
        (
            "Modelica",
            r"^\s*(?:within\b|(?:partial\s+|encapsulated\s+)*(?:model|package|block|connector|function|class|type|record)\s+\w)",
        ),
        ("Motoko", r"^\s*(?:import\s+\w+\s+\"|(?:persistent\s+)?actor\b|module\s*\{)"),
    ),
    ".moo": (("Mercury", r"^\s*:- module"), ("Moocode", "")),
    ".mps": (("Mathematical Programming System", r"^(?:NAME|ROWS|COLUMNS|RHS|ENDATA)\b"), ("JetBrains MPS", "")),
    ".mqh": (("MQL5", r"\b(?:class|virtual|#include\s+<(?:Object|Trade|Arrays))\b"), ("MQL4", "")),
    ".msg": (
        ("OMNeT++ MSG", r"^\s*(?:packet|message|cplusplus|class|namespace)\b"),
        ("ROS Interface", r"^\s*[\w/]+(?:\[\d*\])?\s+\w+\s*(?:=|#|$)"),
    ),
    ".nas": (("Assembly", _ASSEMBLY), ("Nasal", "")),
    ".nb": (("Wolfram Language", r"\(\* Content-type: application/|Notebook\["), ("Text", "")),
    ".nl": (("NewLisp", r"^\s*\((?:define|context|load|set)\b|^#!.*newlisp"), ("NL", r"^(?:b|g)\d+\s")),
    ".nr": (("Roff", _ROFF), ("Noir", "")),
    ".nu": (
        ("Nushell", r"^\s*(?:def|let|export|use|module|source)\s|^#!.*\bnu\b|\|\s*(?:where|get|each)\b"),
        ("Nu", ""),
    ),
    ".odin": (
        ("Object Data Instance Notation", r"(?:\A|<)\s*[A-Za-z_]+\s*=\s*<|^\w+\s*=\s*<"),
        ("Odin", ""),
    ),
    ".pbt": (("PowerBuilder", r"(?i)^Save Format v3\.0"), ("Protocol Buffer Text Format", "")),
    ".pc": (("pkg-config", r"^(?:Name|Libs|Cflags|Version)\s*:|^prefix="), ("Pro*C", r"\bEXEC\s+SQL\b")),
    ".pkl": (("Pickle", r"\A[(\x80]"), ("Pkl", "")),
    ".plt": (("Prolog", r"^\s*:-\s*\w|^\s*(?:test\(|begin_tests)"), ("Gnuplot", "")),
    ".pluginspec": (("XML", _XML), ("Ruby", "")),
    ".prc": (("PLSQL", r"(?i)\b(?:CREATE OR REPLACE|VARCHAR2|AUTHID|EXCEPTION)\b"), ("SQL", "")),
    ".q": (
        ("HiveQL", r"(?i)^\s*(?:select|create|insert|drop|set|from|alter|explain|describe|load|use)\s+\w"),
        ("q", ""),
    ),
    ".qs": (("Q#", r"^\s*(?:namespace\s+[\w.]+|operation\s+\w+|open\s+Microsoft)"), ("Qt Script", "")),
    ".reds": (("Red", r"^\s*(?:Red/System|Red)\s*\["), ("Redscript", "")),
    ".rno": (("Roff", _ROFF), ("RUNOFF", r"(?i)^\.(?:C|CHAPTER|PG|PAGE|LM|LITERAL)\b")),
    ".rsc": (
        ("RouterOS Script", r"^\s*(?:/(?:ip|interface|system|tool)\b|:(?:local|global|foreach|if|do|put)\b)"),
        ("Rascal", ""),
    ),
    ".sch": (
        ("XML", r"\A\s*<\?xml(?![^>]*>\s*<!DOCTYPE eagle)"),
        ("Eagle", r"<!DOCTYPE eagle"),
        ("KiCad Schematic", r"^EESchema Schematic|\A\s*\(kicad_sch"),
        ("Scheme", ""),
    ),
    ".shader": (("ShaderLab", r"^\s*(?:Shader\s+\"|SubShader|Properties\s*\{)"), ("GLSL", "")),
    ".sip": (("Quartus Simulation IP", r"^set_global_assignment"), ("SIP", "")),
    ".srt": (("SubRip Text", r"^\d{2}:\d{2}:\d{2},\d{3}\s*-->"), ("SRecode Template", "")),
    ".st": (
        ("Smalltalk", r"\b(?:subclass:|methodsFor:)|^\w+(?: class)? (?:extend|>>)|^!"),
        ("StringTemplate", r"\$\w+[($]|<!\s|<\w+(?:[;:]|\s*\()|\$(?:if|endif|else)\b"),
        ("Smalltalk", r"\A\s*['\"]|!\s*$"),
    ),
    ".svx": (("Survex data", r"^\s*\*(?:begin|end|data|calibrate|include|fix|equate)\b"), ("mdsvex", "")),
    ".sw": (("XML", _XML), ("Sway", r"^\s*(?:library|contract|script|predicate|use|fn|pub)\b")),
    ".tact": (("JSON", r"\A\s*\{\s*\""), ("Tact", "")),
    ".tl": (("Teal", r"^\s*(?:local|global|return|record|enum)\b|--"), ("Type Language", "")),
    ".trigger": (("Apex", r"(?i)^\s*trigger\s+\w+\s+on\s+\w+"), ("Shell", "")),
    ".tsp": (("TSPLIB data", r"^\s*(?:NAME|TYPE|DIMENSION)\s*:"), ("TypeSpec", "")),
    ".tst": (("GAP", r"^gap>"), ("Scilab", "")),
    ".uc": (
        ("UnrealScript", r"(?i)^\s*(?:class\s+\w+\s+extends|defaultproperties|event\s|simulated\s)"),
        ("ucode", ""),
    ),
    ".vcf": (("vCard", r"\ABEGIN:VCARD"), ("TSV", "")),
    ".vhost": (("ApacheConf", r"^\s*<\w+|^\s*(?:ServerName|DocumentRoot)\s"), ("Nginx", "")),
    ".workflow": (("XML", _XML), ("HCL", "")),
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
        linear = pattern.replace(r"^\s*", r"^[^\S\n]*").replace(r"\s*$", r"[^\S\n]*$")
        found.append((language, re.compile(linear, re.MULTILINE) if pattern else None))
    return tuple(found)


@cache
def _comments(extension: str) -> re.Pattern[str] | None:
    return re.compile(COMMENTS[extension]) if extension in COMMENTS else None


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
    if comments := _comments(extension):
        head = comments.sub("", head)
    for language, pattern in _compiled(extension):
        if pattern is None or pattern.search(head):
            return language
    return None
