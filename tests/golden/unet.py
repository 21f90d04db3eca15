"""The U-Net of pytorch-ddpm (Ho et al. 2020), with the number of GroupNorm groups as an option."""
import math

import torch
from torch import nn
from torch.nn import functional as F


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class TimeEmbedding(nn.Module):
    def __init__(self, T, ch, tdim):
        super().__init__()
        frequencies = torch.exp(-torch.arange(0, ch, step=2) / ch * math.log(10000))
        angles = torch.arange(T).float()[:, None] * frequencies[None, :]
        table = torch.stack([torch.sin(angles), torch.cos(angles)], dim=-1).view(T, ch)
        self.timembedding = nn.Sequential(
            nn.Embedding.from_pretrained(table, freeze=True), nn.Linear(ch, tdim), Swish(), nn.Linear(tdim, tdim)
        )

    def forward(self, t):
        return self.timembedding(t)


class AttnBlock(nn.Module):
    def __init__(self, ch, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, ch)
        self.proj_q, self.proj_k, self.proj_v, self.proj = (nn.Conv2d(ch, ch, 1) for _ in range(4))

    def forward(self, x):
        n, c, h, w = x.shape
        normal = self.group_norm(x)
        q = self.proj_q(normal).permute(0, 2, 3, 1).reshape(n, h * w, c)
        k = self.proj_k(normal).reshape(n, c, h * w)
        v = self.proj_v(normal).permute(0, 2, 3, 1).reshape(n, h * w, c)
        weights = F.softmax(torch.bmm(q, k) * int(c) ** -0.5, dim=-1)
        mixed = torch.bmm(weights, v).reshape(n, h, w, c).permute(0, 3, 1, 2)
        return x + self.proj(mixed)


class ResBlock(nn.Module):
    def __init__(self, in_ch, out_ch, tdim, dropout, attn, groups):
        super().__init__()
        self.block1 = nn.Sequential(
            nn.GroupNorm(groups, in_ch), Swish(), nn.Conv2d(in_ch, out_ch, 3, padding=1)
        )
        self.temb_proj = nn.Sequential(Swish(), nn.Linear(tdim, out_ch))
        self.block2 = nn.Sequential(
            nn.GroupNorm(groups, out_ch), Swish(), nn.Dropout(dropout), nn.Conv2d(out_ch, out_ch, 3, padding=1)
        )
        self.shortcut = nn.Conv2d(in_ch, out_ch, 1) if in_ch != out_ch else nn.Identity()
        self.attn = AttnBlock(out_ch, groups) if attn else nn.Identity()

    def forward(self, x, temb):
        h = self.block1(x)
        h = h + self.temb_proj(temb)[:, :, None, None]
        return self.attn(self.block2(h) + self.shortcut(x))


class DownSample(nn.Module):
    def __init__(self, ch):
        super().__init__()
        self.main = nn.Conv2d(ch, ch, 3, stride=2, padding=1)

    def forward(self, x, _):
        return self.main(x)


class UpSample(nn.Module):
    def __init__(self, ch):
        super().__init__()
        self.main = nn.Conv2d(ch, ch, 3, padding=1)

    def forward(self, x, _):
        return self.main(F.interpolate(x, scale_factor=2, mode="nearest"))


class UNet(nn.Module):
    def __init__(self, T, ch, ch_mult, attn, num_res_blocks, dropout, groups=32):
        super().__init__()
        tdim = 4 * ch
        self.time_embedding = TimeEmbedding(T, ch, tdim)
        self.head = nn.Conv2d(3, ch, 3, padding=1)
        self.downblocks, self.middleblocks, self.upblocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        widths, now = [ch], ch
        for level, mult in enumerate(ch_mult):
            for _ in range(num_res_blocks):
                self.downblocks.append(ResBlock(now, ch * mult, tdim, dropout, level in attn, groups))
                now = ch * mult
                widths.append(now)
            if level != len(ch_mult) - 1:
                self.downblocks.append(DownSample(now))
                widths.append(now)
        for has_attention in (True, False):
            self.middleblocks.append(ResBlock(now, now, tdim, dropout, has_attention, groups))
        for level, mult in reversed(list(enumerate(ch_mult))):
            for _ in range(num_res_blocks + 1):
                width = widths.pop() + now
                self.upblocks.append(ResBlock(width, ch * mult, tdim, dropout, level in attn, groups))
                now = ch * mult
            if level != 0:
                self.upblocks.append(UpSample(now))
        self.tail = nn.Sequential(nn.GroupNorm(groups, now), Swish(), nn.Conv2d(now, 3, 3, padding=1))

    def forward(self, x, t):
        temb = self.time_embedding(t)
        h = self.head(x)
        skips = [h]
        for block in self.downblocks:
            h = block(h, temb)
            skips.append(h)
        for block in self.middleblocks:
            h = block(h, temb)
        for block in self.upblocks:
            if isinstance(block, ResBlock):
                h = torch.cat([h, skips.pop()], dim=1)
            h = block(h, temb)
        return self.tail(h)
