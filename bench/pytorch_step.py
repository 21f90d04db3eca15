"""PyTorch's side of `deno task bench --pytorch`: training and sampling steps of the ho2020 U-Net, and
the kernels of pytorch_ops.py.

Usage: python3 pytorch_step.py CASES [SECONDS], CASES as JSON: [{"name", "batch", "size", "images",
"channels", "multipliers", "attention", "blocks", "groups"}], or {"name"} alone for a kernel. Prints a JSON line a case and mode:
{"case", "mode", "ms", "mib", "device", "version"} or {"case", "mode", "error"}.

A training step draws timesteps and noise, goes forward and backward, clips the norm of the gradient to
1, takes a step of Adam and moves the average of the weights, as a step of Diffract does.
"""
import contextlib
import json
import math
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

from pytorch_ops import operations


class Attention(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.q, self.k, self.v, self.out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        n, c, h, w = x.shape
        y = self.norm(x)
        q, k, v = (f(y).flatten(2).transpose(1, 2) for f in (self.q, self.k, self.v))
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(c), -1) @ v
        return x + self.out(y.transpose(1, 2).reshape(n, c, h, w))


class Block(nn.Module):
    def __init__(self, cin, cout, embedding, attention, groups):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, cin), nn.Conv2d(cin, cout, 3, padding=1)
        self.time = nn.Linear(embedding, cout)
        self.norm2, self.conv2 = nn.GroupNorm(groups, cout), nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()
        self.attention = Attention(cout, groups) if attention else nn.Identity()

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(embedding))[:, :, None, None]
        h = F.dropout(F.silu(self.norm2(h)), 0.1, self.training)
        return self.attention(self.conv2(h) + self.skip(x))


class UNet(nn.Module):
    def __init__(self, images, channels, multipliers, attention, blocks, groups):
        super().__init__()
        width, now, widths = 4 * channels, channels, [channels]
        self.channels = channels
        self.time = nn.Sequential(nn.Linear(channels, width), nn.SiLU(), nn.Linear(width, width))
        self.head = nn.Conv2d(images, channels, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, factor in enumerate(multipliers):
            for _ in range(blocks):
                self.down.append(Block(now, channels * factor, width, level in attention, groups))
                now = channels * factor
                widths.append(now)
            if level + 1 < len(multipliers):
                self.down.append(nn.Conv2d(now, now, 3, stride=2, padding=1))
                widths.append(now)
        self.middle = nn.ModuleList(Block(now, now, width, first, groups) for first in (True, False))
        for level, factor in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                cin = widths.pop() + now
                now = channels * factor
                self.up.append(Block(cin, now, width, level in attention, groups))
            if level:
                self.up.append(nn.Conv2d(now, now, 3, padding=1))
        self.tail = nn.Sequential(nn.GroupNorm(groups, now), nn.SiLU(), nn.Conv2d(now, images, 3, padding=1))

    def forward(self, x, t):
        rates = torch.exp(torch.arange(0, self.channels, 2, device=x.device) / self.channels * -math.log(1e4))
        angles = t.float()[:, None] * rates
        embedding = self.time(torch.stack([angles.sin(), angles.cos()], -1).flatten(1))
        h = self.head(x)
        kept = [h]
        for part in self.down:
            h = part(h, embedding) if isinstance(part, Block) else part(h)
            kept.append(h)
        for part in self.middle:
            h = part(h, embedding)
        for part in self.up:
            if isinstance(part, Block):
                h = part(torch.cat([h, kept.pop()], 1), embedding)
            else:
                h = part(F.interpolate(h, scale_factor=2.0))
        return self.tail(h)


def steps(case, mode, device):
    """What is measured of a case, by its name: what prepares it, and a call."""
    layout = torch.channels_last if "channels_last" in mode else torch.contiguous_format
    if "channels" not in case:
        return {case["name"]: (lambda: None, operations(device, layout)[case["name"]])}
    torch.manual_seed(0)
    names = ("images", "channels", "multipliers", "attention", "blocks", "groups")
    net = UNet(**{name: case[name] for name in names}).to(device)
    net = net.to(memory_format=layout)
    average = [p.detach().clone() for p in net.parameters()]
    graphs = "graphs" in mode
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-4, **({"capturable": True} if graphs else {}))
    run = torch.compile(net) if "compiled" in mode else net
    shape = (case["batch"], case["images"], case["size"], case["size"])
    x0 = (torch.rand(shape, device=device) * 2 - 1).to(memory_format=layout)
    signal = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0).float().to(device)
    half = lambda: torch.autocast(device.type, torch.bfloat16) if "bf16" in mode else contextlib.nullcontext()

    def train():
        t = torch.randint(1000, (case["batch"],), device=device)
        noise, a = torch.randn_like(x0), signal[t][:, None, None, None]
        with half():
            loss = F.mse_loss(run(a.sqrt() * x0 + (1 - a).sqrt() * noise, t).float(), noise)
        optimiser.zero_grad(set_to_none=not graphs)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_mul_(average, 0.9999)
            torch._foreach_add_(average, list(net.parameters()), alpha=1e-4)

    at = torch.full((case["batch"],), 500, device=device)

    def sample():
        with torch.no_grad(), half():
            run(x0, at)

    return {f"{case['name']}_step": (net.train, train), f"{case['name']}_sample": (net.eval, sample)}


def captured(work):
    """A replay of the work as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def measure(work, seconds, wait):
    """The median of calls for as long as `seconds`, in milliseconds."""
    work()
    wait()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        wait()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    cases, seconds = json.loads(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    wait = torch.cuda.synchronize if cuda else lambda: None
    modes = ["f32", "f32 channels_last"]
    if cuda:
        modes += ["tf32", "tf32 channels_last", "bf16", "bf16 channels_last", "tf32 graphs"]
    if hasattr(torch, "compile"):
        modes += ["f32 compiled"] + (["tf32 compiled", "bf16 channels_last compiled"] if cuda else [])
    where = {"device": torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads",
             "version": torch.__version__}
    for case in cases:
        for mode in modes:
            if cuda:
                torch.backends.cuda.matmul.allow_tf32 = "f32" != mode.split()[0]
                torch.backends.cudnn.allow_tf32 = "f32" != mode.split()[0]
                torch.backends.cudnn.benchmark = True
            try:
                if "channels" not in case and ("compiled" in mode or "graphs" in mode):
                    continue
                for name, (prepare, work) in steps(case, mode, device).items():
                    prepare()
                    if cuda:
                        torch.cuda.reset_peak_memory_stats()
                    ms = measure(captured(work) if "graphs" in mode else work, seconds, wait)
                    mib = torch.cuda.max_memory_allocated() / 2**20 if cuda else None
                    print(json.dumps({"case": name, "mode": mode, "ms": ms, "mib": mib, **where}), flush=True)
            except Exception as error:  # A mode that this PyTorch or card cannot do is told of.
                text = str(error).strip().split("\n")[0][:200]
                print(json.dumps({"case": case["name"], "mode": mode, "error": text, **where}), flush=True)


main()
