"""Opens pages in Chromium, where there is one: what a reader sees after keys were pressed."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def opened(page: Path, address: str = "", keys: Sequence[str] = (), width: int = 1400) -> str:
    """Return the document as it stands when the page has run and the keys were pressed.

    Args:
        address: what follows the file's name, such as "#row=3".
        keys: of KeyboardEvent; an entry like "type:word" puts the word into the search.
    """
    script = f"""
    for (const key of {json.dumps(list(keys))}) {{
      const target = document.activeElement ?? document.body;
      if (!key.startsWith("type:")) target.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
      else {{
        search.value = key.slice(5);
        form.dispatchEvent(new Event("submit", {{ bubbles: true, cancelable: true }}));
      }}
    }}
    document.body.dataset.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    document.body.dataset.hash = location.hash;
    """
    text = page.read_text(encoding="utf-8")
    # The page's policy lets no script run but its own.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", text, count=1)
    changed = page.with_name(f"pressed_{page.name}")
    changed.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    profile = page.parent / "profile"
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += [
        f"--window-size={width},900",
        "--virtual-time-budget=2000",
        "--dump-dom",
        f"{changed.as_uri()}{address}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout
