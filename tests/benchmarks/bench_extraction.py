"""How many right answers are judged right: the code found by us, and by evalplus's sanitizer, in the same answers.

    python tests/benchmarks/bench_extraction.py --data-dir DIR [--evalplus FOLDER] [--every 8]

HumanEval's solutions are wrapped in every form of tests/evals/tasks/answer_forms.py. Both codes are run under the same
tests in the sandbox. evalplus: `pip install --no-deps --target FOLDER evalplus`; without it, ours alone.
"""

import argparse
import importlib.util
import sys
import time
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from evals.execution import Executor
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.marked import marked_program
from tests.evals.tasks.answer_forms import FORMS, UNANSWERED


def load_sanitize(folder: Path):
    """Return evalplus's `sanitize`, loaded without what its data and command line need."""
    for name in ("evalplus", "evalplus.data"):
        sys.modules[name] = types.ModuleType(name)
    for name in ("get_human_eval_plus", "get_mbpp_plus", "load_solutions", "write_directory", "write_jsonl"):
        setattr(sys.modules["evalplus.data"], name, None)
    for name in ("syncheck", "sanitize"):
        path = folder / "evalplus" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"evalplus.{name}", path)
        module = sys.modules[f"evalplus.{name}"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["evalplus.sanitize"].sanitize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--evalplus", type=Path)
    parser.add_argument("--every", type=int, default=8, help="take every such problem")
    options = parser.parse_args()
    task = BENCHMARKS["humaneval"]
    rows = task.load(options.data_dir)[0][:: options.every]
    sanitize = load_sanitize(options.evalplus) if options.evalplus else None
    right, totals, seconds = {}, {"ours": 0, "evalplus": 0}, {"ours": 0.0, "evalplus": 0.0}
    with Executor(task.limits) as executor:
        for form, write in {**FORMS, **UNANSWERED}.items():
            answers = [write(row["prompt"] + row["canonical_solution"], row["entry_point"]) for row in rows]
            counts = {}
            start = time.process_time()
            codes = [task.code_of_answer(row, answer).code for row, answer in zip(rows, answers, strict=True)]
            seconds["ours"] += time.process_time() - start
            programs = {"ours": [task.chat_program(row, code) for row, code in zip(rows, codes, strict=True)]}
            if sanitize:
                programs["evalplus"] = []
                for row, answer in zip(rows, answers, strict=True):
                    start = time.process_time()
                    try:
                        code = sanitize(answer, row["entry_point"])
                    except Exception:  # evalplus ends here; its users get no verdict at all
                        code = "raise SystemExit(1)"
                    seconds["evalplus"] += time.process_time() - start
                    check = f"{task.test(row)}\ncheck({row['entry_point']})"
                    programs["evalplus"].append(marked_program(code, check, packages=task.packages))
            for whose, batch in programs.items():
                passed = sum(result.verdict == "pass" for result in executor.run_batch(batch))
                counts[whose] = passed if form in FORMS else len(rows) - passed
                totals[whose] += counts[whose]
            right[form] = counts
            shown = "".join(f"{counts.get(whose, 0):6d}" if whose in counts else "     -" for whose in totals)
            print(f"{form:45s}{shown} of {len(rows)}", flush=True)
    answers = len(rows) * len(right)
    for whose in totals if sanitize else ("ours",):
        print(f"{whose}: {totals[whose]} of {answers} judged right, {1000 * seconds[whose] / answers:.1f} ms an answer")


if __name__ == "__main__":
    main()
