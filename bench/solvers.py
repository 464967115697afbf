"""How near pictures of few steps are to where their flow ends, by solver: `python bench/solvers.py`.

Draws every other prompt of the demo's quick plan from the same noise, and compares with the second order's pictures of
100 steps: the mean absolute difference of a byte, its mean, median and worst tenth over the pictures.
"""

import checkout  # noqa: F401
import torch
from demo_base.judging.pictures import load_demo_base
from owf.core.demo import DEMO_BASE
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.sample import Sampling, generate
from owf.core.plan.presets import preset_plan
from owf.core.plan.solvers import DDIM, DPM_2M

TRIED = ((DDIM, (9, 12, 18, 25, 50)), (DPM_2M, (8, 10, 12, 18)))


def main() -> None:
    base, plan = load_demo_base(DEMO_BASE), preset_plan("quick", "demo")
    prompts = [prompt.text for prompt in plan.prompts[::2]]

    def drawn(solver: str, steps: int) -> torch.Tensor:
        sampling = Sampling(steps, plan.guidance_scale, plan.negative, solver)
        return generate(base, prompts, [0] * len(prompts), sampling, Batching(64))[0].float()

    end = drawn(DPM_2M, 100)
    for solver, counts in TRIED:
        for steps in counts:
            errors = (drawn(solver, steps) - end).abs().mean(dim=(1, 2, 3))
            worst = errors.quantile(0.9)
            print(f"| {solver} | {steps} | {errors.mean():.2f} | {errors.median():.2f} | {worst:.2f} |", flush=True)


if __name__ == "__main__":
    main()
