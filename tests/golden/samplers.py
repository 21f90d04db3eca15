"""The posterior of a denoising step and the two samplers, at the precision of what they are given."""
import math

import torch


def tables_of(reference, schedule):
    prefix = f"schedule/{schedule}/"
    return {n[len(prefix):]: torch.tensor(a) for n, a in reference.items() if n.startswith(prefix)}


def posterior(tables, kind, x, t, output):
    """x0_pred, mean as pytorch-ddpm returns it, and the mean with clip(x0_pred)."""
    def at(values):
        return values[t].to(x.dtype).view(-1, 1, 1, 1)

    c1, c2 = tables["posterior_mean_coef1"], tables["posterior_mean_coef2"]
    if kind == "epsilon":
        x0 = at(tables["sqrt_recip_alphas_bar"]) * x - at(tables["sqrt_recipm1_alphas_bar"]) * output
    elif kind == "xstart":
        x0 = output
    else:
        x0 = at(1.0 / c1) * output - at(c2 / c1) * x
    mean = output if kind == "xprev" else at(c1) * x0 + at(c2) * x
    return x0, mean, at(c1) * x0.clamp(-1, 1) + at(c2) * x


@torch.no_grad()
def ancestral(model, tables, var_type, variant, x_T, z):
    """States after each step, and how many values of x0 were clipped."""
    log_var = tables["fixedlarge_log_var" if var_type == "fixedlarge" else "posterior_log_var_clipped"]
    x, states, clipped = x_T, [], 0
    for i in reversed(range(len(log_var))):
        t = torch.full((x.shape[0],), i, dtype=torch.long)
        x0, mean, mean_clipped = posterior(tables, "epsilon", x, t, model(x, t))
        clipped += (x0.abs() > 1).sum().item()
        x = mean_clipped if variant == "clipped" else mean
        if i > 0:
            x = x + torch.exp(0.5 * log_var[i].to(x.dtype)) * z[i]
        states.append(x)
    return torch.stack(states), clipped


@torch.no_grad()
def ddim(model, alphas_bar, timesteps, eta, clip, x_T, z):
    """States and x0 after each step (Song et al. 2021, equation 12)."""
    x, states, starts = x_T, [], []
    for i, step in enumerate(timesteps):
        t = torch.full((x.shape[0],), step, dtype=torch.long)
        a = alphas_bar[step].item()
        before = alphas_bar[timesteps[i + 1]].item() if i + 1 < len(timesteps) else 1.0
        eps = model(x, t)
        x0 = (x - math.sqrt(1 - a) * eps) / math.sqrt(a)
        if clip:
            x0 = x0.clamp(-1, 1)
            eps = (x - math.sqrt(a) * x0) / math.sqrt(1 - a)
        sigma = eta * math.sqrt((1 - before) / (1 - a)) * math.sqrt(1 - a / before)
        x = math.sqrt(before) * x0 + math.sqrt(1 - before - sigma**2) * eps + sigma * z[i]
        states.append(x)
        starts.append(x0)
    return torch.stack(states), torch.stack(starts)
