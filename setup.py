"""Packaging of Ling-Coder recipes. `pip install -e '.[all]' -c constraints.txt` gives the tested set."""

from pathlib import Path

from setuptools import find_packages, setup

# Ranges, not pins: the tested set is in constraints.txt. Lower bounds are the oldest versions the code is meant for.
CORE = [
    "torch>=2.11",
    "transformers>=5.17,<6",
    "huggingface-hub>=1.16,<2",  # lighteval 0.13's built-in tasks break with 2.x
    "datasets>=4.7",
    "tokenizers>=0.22",
    "safetensors>=0.5",
    "numpy>=2",
    "pyarrow>=21",  # content-defined chunks
    "pyyaml>=6",
    "tqdm>=4.66",
    "jinja2>=3.1",  # pages of reports
    "pygments>=2.18",  # colors of code on them
]
# Grammars as single wheels: tree-sitter-language-pack 1.x downloads its parsers at run time.
GRAMMARS = [
    "tree-sitter>=0.25,<0.27",
    "tree-sitter-python>=0.25",
    "tree-sitter-java>=0.23.5",
    "tree-sitter-javascript>=0.25",
    "tree-sitter-typescript>=0.23.2",
    "tree-sitter-go>=0.25",
    "tree-sitter-rust>=0.24",
    "tree-sitter-c>=0.24",
    "tree-sitter-cpp>=0.23.4",
    "tree-sitter-c-sharp>=0.23.5",
    "tree-sitter-php>=0.25",
    "tree-sitter-ruby>=0.23.1",
    "tree-sitter-lua>=0.5",
    "tree-sitter-kotlin>=1.1",
    "tree-sitter-scala>=0.26",
    "tree-sitter-dart>=0.1",
    "tree-sitter-bash>=0.25",
    "tree-sitter-swift>=0.7",
]
BUILD = [
    *GRAMMARS,
    "datatrove[io,processing]>=0.10.1,<0.11",
    "aiohttp>=3.10",  # asks teachers
    "jsonschema>=4.20",  # what they answer
    # What datatrove's inference extra needs to start a server; the extra itself installs vLLM and SGLang.
    "aiofiles>=24.1",
    "aiosqlite>=0.20",
    "httpx>=0.27",
    "openai>=2",
    "dulwich>=0.22",
    "faust-cchardet>=3.2",
    "fastwarc>=2.0,<3",  # crawls
    "google-re2>=1.1",
    "license-expression>=30.4",
    "matplotlib>=3.9",
    "orjson>=3.10",
    "pyahocorasick>=2.1",
    "rapidfuzz>=3.9",
    "resiliparse>=2.0,<3",  # pages; see web_pages/lists.py on what it drops
    "rensa==0.5.0",  # another version may give other signatures, which a test would show
    "scipy>=1.13",
    "zstandard>=0.23",
]
TRAIN = ["accelerate>=1.10.1", "trl>=1.16,<1.17", "psutil>=5.9"]  # our trainers replace methods of trl's own
EVAL = [
    *GRAMMARS,  # what an answer defines and uses
    "lighteval==0.13.0",
    "matplotlib>=3.9",
    "openai>=2",  # servers; lighteval's own extra brings more
    "httpx>=0.27",
]
MAGIKA = ["magika>=1,<2"]
LORA = ["peft>=0.19", "bitsandbytes>=0.49; sys_platform == 'linux'"]
# `recipes adapt` curates, trains and scores.
ADAPT = [*BUILD, *TRAIN, *EVAL, *LORA]
# datatrove 0.10 asks for no version; 2.60 is the tested one.
RAY = ["ray>=2.44"]
# gguf: llama.cpp's own table of tensor names. detect-secrets: benchmarks compare with it.
TEST = [
    *LORA,
    *RAY,
    *MAGIKA,
    "detect-secrets>=1.5",
    "gguf>=0.17",
    "hypothesis>=6",
    "mypy>=1.18",
    "pytest>=8",
    "pytest-xdist>=3.6",
    "ruff>=0.12",
    "starlette>=0.40",
    "types-PyYAML>=6",
    "uvicorn>=0.30",
]

setup(
    name="ling-coder-recipes",
    version="0.1.0",
    description="Dataset builders, model and training recipes of Ling-Coder-Lite (arXiv 2503.17793), Hub-native",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["modeling_ling*", "evals*", "datasets_builders*", "recipes*"]),
    package_data={
        "": [
            *("*.yaml", "*.json", "*.jinja", "*.txt", "*.md", "*.png", "*.sh", "*.json.gz"),
            *("presets/*.json", "configs/*.yaml", "prompts/*", "templates/*", "queries/*.scm", "gold_programs/*.txt"),
            *("runtime/*", "etc/*", "environments/*.txt", "configs/*/*.yaml", "configs/*.md", "accelerate_configs/*"),
        ]
    },
    install_requires=CORE,
    entry_points={"console_scripts": ["ling-coder = recipes.console:main"]},
    extras_require={
        "build": BUILD,
        "ray": RAY,
        "train": TRAIN,
        "lora": LORA,
        "adapt": ADAPT,
        "eval": EVAL,
        "magika": MAGIKA,
        "test": TEST,
        "all": BUILD + TRAIN + EVAL + TEST,
    },
)
