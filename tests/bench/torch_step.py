#!/usr/bin/env python3
"""One HDA+ToAlign training step in PyTorch on this machine: the peer to measure against.

    python torch_step.py [--variant reference|one-pass|channels-last|tf32|bf16] [--device cuda] [--batch 8] [--image 224]
                         [--backbone resnet50] [--network torchvision|small] [--evaluate] [--steps 5] [--threads N]

'reference' does what the published code does: the source batch goes through the backbone twice
(once plain, once for alignment), f32, NCHW. 'one-pass' re-uses the features, 'channels-last' adds
NHWC memory format, 'tf32' (on a GPU) TF32 products, 'bf16' adds autocast: the best that a careful PyTorch user gets.
On a GPU cuDNN tries its algorithms before the first step, and products are in f32 unless the variant says otherwise.
'--network small' is the network of Mini Office-Home in place of torchvision's --backbone, with its 40x40 pictures,
32+32 of them, 12 classes and 256 hidden units in the discriminator. '--evaluate' measures a test instead of a step:
forward only, without gradients, running statistics, 36 pictures.
Prints one JSON line: median seconds of a step, images per second, peak resident memory in MB.
"""
import argparse, json, resource, statistics, time
import torch, torch.nn as nn, torch.nn.functional as F, torchvision

class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, c): ctx.c = c; return x.view_as(x)
    @staticmethod
    def backward(ctx, g): return -ctx.c * g, None

class Small(nn.Module):
    """Mini Office-Home's network, as src/model/resnet.rs has it: 3x3 stem of stride 2, no max-pool, four basic blocks."""
    def __init__(self):
        super().__init__()
        block, conv1x1 = torchvision.models.resnet.BasicBlock, torchvision.models.resnet.conv1x1
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(True))
        layers, channels = [], 16
        for width, stride in [(16, 1), (32, 2), (64, 2), (128, 1)]:
            down = None
            if stride != 1 or channels != width:
                down = nn.Sequential(conv1x1(channels, width, stride), nn.BatchNorm2d(width))
            layers.append(block(channels, width, stride, down)); channels = width
        self.layers, self.fc = nn.Sequential(*layers), nn.Linear(channels, 1000)

    def forward(self, x): return self.fc(self.layers(self.stem(x)).mean((2, 3)))

def main():
    a = argparse.ArgumentParser()
    a.add_argument("--variant", default="reference", choices=["reference", "one-pass", "channels-last", "tf32", "bf16"])
    a.add_argument("--device", default="cpu", help="cpu, or cuda for an NVIDIA GPU")
    a.add_argument("--backbone", default="resnet50"); a.add_argument("--classes", type=int)
    a.add_argument("--network", default="torchvision", choices=["torchvision", "small"])
    a.add_argument("--evaluate", action="store_true", help="a test instead of a training step")
    a.add_argument("--batch", type=int, help="images of each domain"); a.add_argument("--image", type=int)
    a.add_argument("--steps", type=int, default=5); a.add_argument("--threads", type=int, default=0)
    a = a.parse_args()
    small = a.network == "small"
    if small: a.backbone = "small"
    a.classes, a.image = a.classes or (12 if small else 65), a.image or (40 if small else 224)
    a.batch = a.batch or (36 if a.evaluate else 32 if small else 8)
    hidden = 256 if small else 1024
    if a.threads: torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    nhwc, bf16, twice = a.variant in ("channels-last", "tf32", "bf16"), a.variant == "bf16", a.variant == "reference"
    gpu = a.device.startswith("cuda")
    if gpu:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = a.variant in ("tf32", "bf16")
        torch.backends.cudnn.benchmark = True
    net = Small() if small else getattr(torchvision.models, a.backbone)(weights=None)
    dim, k = net.fc.in_features, a.classes
    net.fc = nn.Identity()
    heads = nn.ModuleList([nn.Linear(dim, k) for _ in range(4)])           # fc and the three heuristic heads
    disc = nn.Sequential(nn.Linear(k, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, hidden), nn.ReLU(),
                         nn.Dropout(0.5), nn.Linear(hidden, 1))
    net, heads, disc = net.to(a.device), heads.to(a.device), disc.to(a.device)
    if nhwc: net = net.to(memory_format=torch.channels_last)
    opt = torch.optim.SGD([{"params": net.parameters(), "lr": 1e-3}, {"params": heads.parameters(), "lr": 1e-2},
                           {"params": disc.parameters(), "lr": 1e-2}], lr=1e-3, momentum=0.9, weight_decay=5e-4, nesterov=True)
    xs, xt = torch.randn(a.batch, 3, a.image, a.image), torch.randn(a.batch, 3, a.image, a.image)
    if nhwc: xs, xt = (x.to(memory_format=torch.channels_last) for x in (xs, xt))
    ys = torch.randint(0, k, (a.batch,))
    xs, xt, ys = xs.to(a.device), xt.to(a.device), ys.to(a.device)
    kind = "cuda" if gpu else "cpu"

    def logits(f):
        z = heads[1](f) + heads[2](f) + heads[3](f)
        return heads[0](f) - z, z

    def step():
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16):
            fs = net(xs); ls, zs = logits(fs)
            fa = net(xs) if twice else fs
            ft = net(xt); lt, zt = logits(ft)
            w = (heads[0].weight - heads[1].weight - heads[2].weight - heads[3].weight)[ys].detach()
            fp = fa * w * (fa.pow(2).sum(1, keepdim=True) / (fa * w).pow(2).sum(1, keepdim=True)).sqrt()
            p = torch.softmax(torch.cat([logits(fp)[0], lt]), 1)
            d = torch.sigmoid(disc(Reverse.apply(p, 0.8))).float()
            h = torch.exp(-Reverse.apply((-p * torch.log(p + 1e-5)).sum(1), 0.8)).float()
            n = a.batch
            w_ent = torch.cat([h[:n] / h[:n].sum().detach(), h[n:] / h[n:].sum().detach()]).view(-1, 1)
            y = torch.cat([torch.ones(n, 1), torch.zeros(n, 1)]).to(a.device)
            align = ((-y * torch.log(d + 1e-8) - (1 - y) * torch.log(1 - d + 1e-8)) * w_ent).sum() / 2
            loss = F.cross_entropy(ls, ys) + align + torch.cat([zs, zt]).abs().mean()
        opt.zero_grad(); loss.backward(); opt.step()

    def test():
        with torch.no_grad(), torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16): logits(net(xs))[0].argmax(1)

    if a.evaluate: net.eval(); step, images = test, a.batch
    else: images = 2 * a.batch
    wait = torch.cuda.synchronize if gpu else lambda: None
    for _ in range(3 if gpu else 1): step()                                # warm up
    wait()
    if gpu: torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(a.steps):
        t = time.perf_counter(); step(); wait(); times.append(time.perf_counter() - t)
    s = statistics.median(times)
    extra = {"seconds_per_image": s / images} if a.evaluate else {}
    if gpu: extra.update(device=torch.cuda.get_device_name(), device_peak_mb=round(torch.cuda.max_memory_allocated() / 2**20))
    print(json.dumps({"peer": "torch " + torch.__version__, "variant": a.variant, "backbone": a.backbone, "batch": a.batch,
                      "image": a.image, "threads": torch.get_num_threads(), "seconds_per_step": round(s, 4),
                      "images_per_second": round(images / s, 3),
                      "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), **extra}))

if __name__ == "__main__":
    main()
