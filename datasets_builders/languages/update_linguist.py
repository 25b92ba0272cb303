"""Writes linguist.json anew from the npm package `linguist-languages`, which holds GitHub Linguist's data (MIT).

python -m datasets_builders.languages.update_linguist 9.5.0        # needs npm and node
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "linguist-languages"
SCRIPT = """
const languages = await import(process.argv[1]);
const rows = Object.values(languages.default ?? languages).map((language) => [
  language.name, language.type, language.extensions ?? [], language.filenames ?? [], language.interpreters ?? [],
]);
console.log(JSON.stringify(rows));
"""


def main(version: str) -> None:
    """Download a version of the package and write its data, one language per line."""
    target = Path(__file__).with_name("linguist.json")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{version}"], cwd=folder, check=True)
        subprocess.run(["tar", "xzf", f"{PACKAGE}-{version}.tgz"], cwd=folder, check=True)
        index = f"file://{folder}/package/index.js"
        words = ["node", "--input-type=module", "-e", SCRIPT, index]
        rows = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    source = json.dumps(f"{PACKAGE} {version} (npm, MIT): data of GitHub Linguist (MIT)")
    lines = [json.dumps(row, ensure_ascii=False) for row in sorted(rows)]
    text = f'{{"source": {source},\n"columns": ["name", "type", "extensions", "filenames", "interpreters"],\n'
    target.write_text(text + '"languages": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")
    print(f"{target}: {len(rows)} languages")


if __name__ == "__main__":
    main(*sys.argv[1:])
