"""Section 5: arguments that the commands of `efficiency` share."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.commands.arguments import number_within, positive_int

if TYPE_CHECKING:
    from evals.efficiency.latency import Plan

L20_BANDWIDTH_GB, L20_TFLOPS = 864.0, 119.5  # the paper's GPU
PYTHON_VARIABLE = "LING_VLLM_PYTHON"

positive_float = number_within(1e-9, 1e9)


def add_configs(parser: argparse.ArgumentParser) -> None:
    """Add --config: the models whose cost is counted."""
    parser.add_argument(
        "--config",
        nargs="+",
        metavar="CONFIG",
        help="count these: names of presets, folders with a config.json, or org/name on the Hub (default: all presets)",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --output and --report."""
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the table to this file")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="also write a page with the picture")


def add_tflops(parser: argparse.ArgumentParser) -> None:
    """Add --tflops."""
    parser.add_argument(
        "--tflops",
        type=positive_float,
        default=L20_TFLOPS,
        help="what the device computes of 16-bit matrix products in TFLOP/s; the L20's if not given",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add what says which models are measured, in what, and how often."""
    parser.add_argument(
        "--model", nargs="+", required=True, help="measure and compare these: folders, or org/name on the Hub"
    )
    parser.add_argument(
        "--backend", choices=("transformers", "vllm"), default="transformers", help="generate with this engine"
    )
    parser.add_argument(
        "--tensor-parallel",
        type=positive_int,
        nargs="+",
        default=[1],
        metavar="GPUS",
        help="with vllm: cut a model over this many GPUs; several numbers are compared (paper 5.2: 1 2)",
    )
    parser.add_argument(
        "--vllm-python",
        default=os.environ.get(PYTHON_VARIABLE, sys.executable),
        metavar="PYTHON",
        help=f"with vllm: the interpreter of an environment that has it; {PYTHON_VARIABLE} if not given, else this one",
    )
    parser.add_argument(
        "--vllm-arguments",
        type=vllm_arguments,
        default={},
        metavar="JSON",
        help='with vllm: more arguments of vllm.LLM, such as {"dtype": "float16"} (paper 5.2)',
    )
    parser.add_argument("--repeats", type=positive_int, default=5, help="time every point this many times")
    parser.add_argument("--warm-up", type=int, default=1, metavar="TIMES", help="run every point untimed before that")


def lengths(text: str) -> tuple[int, int]:
    """Return (input tokens, output tokens) of a text such as 128:32.

    Raises:
        argparse.ArgumentTypeError: it is no such pair.
    """
    words = text.split(":")
    if len(words) != 2 or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise argparse.ArgumentTypeError(f"{text}: give pairs such as 128:128, input and output tokens")
    return int(words[0]), int(words[1])


def vllm_arguments(text: str) -> dict[str, Any]:
    """Return a JSON mapping.

    Raises:
        argparse.ArgumentTypeError: it is none, or sets what has a flag of its own.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{text} is no mapping such as {{"dtype": "float16"}}')
    if "tensor_parallel_size" in value:
        raise argparse.ArgumentTypeError("give --tensor-parallel instead of tensor_parallel_size")
    return value


def measure(options: argparse.Namespace, plan: Plan) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Return the lines of each model (and of each number of GPUs, if there are several), and the versions."""
    from evals.efficiency.engines import measure_models

    return measure_models(
        options.model,
        plan,
        backend=options.backend,
        tensor_parallel=options.tensor_parallel,
        vllm_python=options.vllm_python,
        vllm_arguments=options.vllm_arguments,
    )
