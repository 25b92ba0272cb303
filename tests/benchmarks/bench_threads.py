"""Steps of the tiny model on two threads, alone and beside busy processes, by how long GNU OpenMP's threads spin.

    python tests/benchmarks/bench_threads.py [--steps 20] [--busy 4]

The setting is read once, when torch is imported: each is a process of its own, in turns. Tokens a second are by the
clock, since waiting is what is measured; on a shared machine "alone" is not alone.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPINS = ("", "0", "1000", "10000", "30000")
ROWS, LENGTH = 4, 512


def steps_a_second(num_steps: int) -> float:
    """Train the tiny model for some steps after a first one."""
    import torch
    from transformers import AutoModelForCausalLM

    import modeling_ling

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(modeling_ling.load_preset("tiny"))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    ids = torch.randint(0, 1000, (ROWS, LENGTH))
    for step in range(num_steps + 1):
        if step == 1:
            start = time.perf_counter()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return num_steps / (time.perf_counter() - start)


def measured(spins: str, num_steps: int) -> float:
    """Return tokens a second of a process with this setting; "" is the library's own."""
    environment = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    environment |= {"OMP_NUM_THREADS": "2", "PYTHONPATH": str(ROOT)} | ({"GOMP_SPINCOUNT": spins} if spins else {})
    command = [sys.executable, __file__, "--child", "--steps", str(num_steps)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(ended.stdout) * ROWS * LENGTH


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="steps alone; a quarter of them beside others")
    parser.add_argument("--busy", type=int, default=4, help="processes beside")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(steps_a_second(options.steps))
        return
    print("| GOMP_SPINCOUNT | alone, tokens/s | beside busy processes, tokens/s |\n| --- | ---: | ---: |")
    alone = {spins: measured(spins, options.steps) for spins in SPINS}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    try:
        for spins in SPINS:
            beside = measured(spins, max(1, options.steps // 4))
            print(f"| {spins or 'not set'} | {alone[spins]:,.0f} | {beside:,.0f} |", flush=True)
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
