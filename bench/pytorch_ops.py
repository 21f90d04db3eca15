"""The kernels of `deno task bench` and the step that peers measure, in PyTorch: see pytorch_step.py."""
import torch
import torch.nn as nn
import torch.nn.functional as F

IMAGES = (16, 64, 32, 32)
FLOATS = 4 << 20


class PeerNetwork(nn.Module):
    """bench/ddpm_step.ts: six residual convolutions behind a group normalisation and SiLU."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 3, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(32, 64), nn.SiLU(), nn.Conv2d(64, 64, 3, padding=1)) for _ in range(6)
        )

    def forward(self, x):
        h = self.first(x)
        for block in self.blocks:
            h = h + block(h)
        return self.last(h)


def gradients(output, inputs, seed):
    torch.autograd.grad(output, inputs, seed)


def operations(device, layout):
    """Functions that compute what the cases of these names do."""
    torch.manual_seed(0)
    random = lambda *shape: torch.randn(shape, device=device)
    images = lambda: random(*IMAGES).to(memory_format=layout)
    a, b = random(768, 768), random(768, 768)
    x, dy, weight = images().requires_grad_(), images(), random(64, 64, 3, 3).to(memory_format=layout).requires_grad_()
    scale, bias = random(64).requires_grad_(), random(64).requires_grad_()
    q, k, v, dout = (random(16, 1, 256, 64).requires_grad_(i < 3) for i in range(4))
    flat = random(FLOATS)
    conv = lambda: F.conv2d(x, weight, padding=1)
    norm = lambda: F.silu(F.group_norm(x, 32, scale, bias))

    def attention():
        if hasattr(F, "scaled_dot_product_attention"):
            return F.scaled_dot_product_attention(q, k, v)
        return torch.softmax(q @ k.transpose(2, 3) * 64**-0.5, -1) @ v

    def no_grad(work):
        def run():
            with torch.no_grad():
                work()
        return run

    param = random(FLOATS).requires_grad_()
    param.grad, average = random(FLOATS), param.detach().clone()
    adam = torch.optim.Adam([param], lr=1e-3)

    def adam_ema():
        adam.step()
        with torch.no_grad():
            average.lerp_(param, 0.1)

    network = PeerNetwork().to(device).to(memory_format=layout)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    image, target = (random(16, 3, 16, 16).to(memory_format=layout) for _ in range(2))

    def ddpm_step():
        optimiser.zero_grad(set_to_none=True)
        F.mse_loss(network(image), target).backward()
        optimiser.step()

    return {
        "matmul768": no_grad(lambda: a @ b),
        "conv2d_fwd": no_grad(conv),
        "conv2d_fwd_bwd": lambda: gradients(conv(), (x, weight), dy),
        "silu4M": no_grad(lambda: F.silu(flat)),
        "group_norm_fwd": no_grad(norm),
        "group_norm_fwd_bwd": lambda: gradients(norm(), (x, scale, bias), dy),
        "adam_ema": adam_ema,
        "fft2": no_grad(lambda: torch.fft.fft2(x)),
        "attention_fwd_bwd": lambda: gradients(attention(), (q, k, v), dout),
        "ddpm_step": ddpm_step,
    }
