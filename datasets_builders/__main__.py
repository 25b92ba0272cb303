"""Section 2: `python -m datasets_builders BUILDER --config X.yaml [field=value ...]`."""

import sys
from collections.abc import Sequence

from modeling_ling.command_line import explain_missing, run_program

with explain_missing("build", "python -m datasets_builders"):
    from datasets_builders.building.command_line import BuilderCommand
    from datasets_builders.building.errors import BuildError, ConfigError

DESCRIPTION = """Build a dataset. `python -m datasets_builders BUILDER --help` lists the fields of a builder.

python -m datasets_builders source_code --config X.yaml field=value
python -m datasets_builders source_code input_dir=~/project output_dir=outputs/project --dry-run"""

# Name -> (module:Class, imported only when the builder is used; what it builds).
BUILDERS = {
    "source_code": (
        "datasets_builders.source_code.builder:SourceCodeBuilder",
        "code files of folders, archives, git, tables or the Hub: curated, deduplicated (section 2.2.1)",
    ),
    "repositories": (
        "datasets_builders.repositories.builder:RepositoriesBuilder",
        "one sample per repository, files in the order of their imports (section 2.2.2)",
    ),
    "web_pages": (
        "datasets_builders.code_related.web_pages.builder:WebPagesBuilder",
        "pages of WARC files and tables as Markdown with exact code (section 2.3.1)",
    ),
    "clean_pages": (
        "datasets_builders.code_related.web_pages.cleaning:CleanPagesBuilder",
        "web pages from which a model took menus and the like, their code unchanged (section 2.3.1)",
    ),
    "code_comment_pairs": (
        "datasets_builders.code_related.code_comment_pairs.builder:CodeCommentPairsBuilder",
        "functions, methods and classes with the comment that belongs to them (section 2.3.2)",
    ),
    "pair_judgements": (
        "datasets_builders.code_related.code_comment_pairs.judgement:PairJudgementsBuilder",
        "a teacher's reasoning and verdict on code-comment pairs (section 2.3.2)",
    ),
    "commits": (
        "datasets_builders.code_related.commits.builder:CommitsBuilder",
        "commits of git repositories as tasks: from message and repository to edits (section 2.3)",
    ),
    "github_threads": (
        "datasets_builders.code_related.github_threads.builder:GithubThreadsBuilder",
        "pull requests and issues from GH Archive (section 2.3.3)",
    ),
    "notebooks": (
        "datasets_builders.code_related.notebooks.builder:NotebooksBuilder",
        "Jupyter notebooks as scripts, or as text, code and output in turn (section 2.3.3)",
    ),
    "markdown": (
        "datasets_builders.code_related.markdown.builder:MarkdownBuilder",
        "Markdown files, scored for code relevance and educational value (section 2.3.3)",
    ),
    "documentation": (
        "datasets_builders.stand_ins.documentation:DocumentationBuilder",
        "prose of docstrings and documentation files: stand-in for natural language",
    ),
    "arithmetic": (
        "datasets_builders.stand_ins.arithmetic:ArithmeticBuilder",
        "computed word problems with worked answers: stand-in for mathematics",
    ),
    "synthetic_qa": (
        "datasets_builders.released.synthetic_qa:SyntheticQABuilder",
        "question-answer pairs computed from code by program analysis (section 2.4)",
    ),
    "sql_qa": (
        "datasets_builders.synthesis.sql.builder:SqlQABuilder",
        "questions to generated SQLite databases, answers executed (section 2.4)",
    ),
    "repository_repairs": (
        "datasets_builders.synthesis.repository_repairs.builder:RepositoryRepairsBuilder",
        "faults that span files of a repository, with the diffs that repair them (section 2.4)",
    ),
    "magpie": (
        "datasets_builders.synthesis.magpie.builder:MagpieBuilder",
        "conversations about code that aligned models write by themselves (section 2.4.1)",
    ),
    "bottom_up": (
        "datasets_builders.synthesis.bottom_up.builder:BottomUpBuilder",
        "problems that grow from code: knowledge extracted, evolved, asked about, answered (section 2.4.2)",
    ),
    "top_down": (
        "datasets_builders.synthesis.top_down.builder:TopDownBuilder",
        "problems from trees of knowledge that titles of books grow into (section 2.4.2)",
    ),
    "evolution": (
        "datasets_builders.synthesis.evolution.builder:EvolutionBuilder",
        "problems by domain, composed of fragments of code and made harder, with answers (section 3.2.3)",
    ),
    "rl_tasks": (
        "datasets_builders.synthesis.verification.builder:TasksBuilder",
        "prompts with verifiers that run the answer, for reinforcement learning (section 2.4)",
    ),
    "sft": (
        "datasets_builders.released.sft:SFTBuilder",
        "chat examples with a held-out split (section 3.2.3)",
    ),
    "answers": (
        "datasets_builders.released.answers:AnswersBuilder",
        "questions from random snippets with answers of several models, for dpo to rank (section 3.2.4)",
    ),
    "dpo": (
        "datasets_builders.released.dpo:DPOBuilder",
        "pairs of a better and a worse answer, by execution or a reward model (section 3.2.4)",
    ),
    "tokenized": (
        "datasets_builders.tokenized.builder:TokenizedBuilder",
        "token shards with a document index, from which training mixes (Table 1)",
    ),
}
COMMANDS = {
    "status": "datasets_builders.building.status_command",
    "browse": "datasets_builders.building.browse_command",
    "push": "datasets_builders.building.push_command",
    "copy": "datasets_builders.building.copy_command",
    "select": "datasets_builders.building.select_command",
    "grade": "datasets_builders.curation.quality.grade_command",
    "train-quality-model": "datasets_builders.curation.quality.train_command",
    "recall-addresses": "datasets_builders.code_related.web_pages.recall_command",
    "repositories inspect": "datasets_builders.repositories.inspect_command",
    "inspect": "datasets_builders.curation.assessment.inspection_command",
}
STOPPED = "interrupted. What is done is kept: run the same command again to continue"


def main(arguments: Sequence[str] | None = None, program: str = "") -> int:
    """Run one command and return its exit code."""
    builders = {name: BuilderCommand(name, *described) for name, described in BUILDERS.items()}
    return run_program(
        "datasets_builders",
        DESCRIPTION,
        {"builders": builders, "commands": COMMANDS},
        arguments,
        program=program,
        extra="build",
        user_errors=(ConfigError,),
        failures=(BuildError,),
        interrupted=STOPPED,
    )


if __name__ == "__main__":
    sys.exit(main())
