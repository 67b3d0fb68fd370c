#!/usr/bin/env python3
"""Every kind of heat map of one picture with the package pytorch-grad-cam on this machine: the peer to measure against.

    python torch_maps.py [--backbone resnet50] [--image 224] [--classes 65] [--steps 5] [--threads N]

The network has random weights, the maps are those after its last layer, enlarged to the picture by the package itself.
Each is computed once without being counted; then the kinds take turns.
Prints one JSON line: `seconds`, pairs of a map's name and the median of its seconds.
"""
import argparse, json, statistics, time
import numpy, torch, torchvision
from pytorch_grad_cam import (EigenCAM, EigenGradCAM, GradCAM, GradCAMElementWise, GradCAMPlusPlus,
                              GuidedBackpropReLUModel, HiResCAM, LayerCAM, XGradCAM)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

KINDS = {"grad-cam": GradCAM, "grad-cam++-epsilon": GradCAMPlusPlus, "hires-cam": HiResCAM, "layer-cam": LayerCAM,
         "x-grad-cam": XGradCAM, "element-wise": GradCAMElementWise, "eigen-cam": EigenCAM,
         "eigen-grad-cam": EigenGradCAM}

def main():
    a = argparse.ArgumentParser()
    a.add_argument("--backbone", default="resnet50"); a.add_argument("--image", type=int, default=224)
    a.add_argument("--classes", type=int, default=65); a.add_argument("--steps", type=int, default=5)
    a.add_argument("--threads", type=int, default=0)
    a = a.parse_args()
    if a.threads: torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    model = getattr(torchvision.models, a.backbone)(num_classes=a.classes).eval()
    picture, target = torch.rand(1, 3, a.image, a.image) * 4 - 2, [ClassifierOutputTarget(0)]

    def heat(kind):
        # Hooks are set anew, as in the package's own examples (`with GradCAM(...) as cam`).
        with kind(model=model, target_layers=[model.layer4[-1]]) as cam:
            return cam(input_tensor=picture, targets=target)[0]

    # It replaces every ReLU of the network while it computes, and puts them back.
    guided = GuidedBackpropReLUModel(model=model, device="cpu")
    works = {name: (lambda kind=kind: heat(kind)) for name, kind in KINDS.items()}
    works["guided-backpropagation"] = lambda: guided(picture, target_category=0)
    works["guided-grad-cam"] = lambda: guided(picture, target_category=0) * heat(GradCAM)[..., numpy.newaxis]
    seconds = {name: [] for name in works}
    for turn in range(a.steps + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn: seconds[name].append(time.perf_counter() - start)
    print(json.dumps({"backbone": a.backbone, "image": a.image, "threads": torch.get_num_threads(),
                      "seconds": [[name, statistics.median(values)] for name, values in seconds.items()]}))

if __name__ == "__main__":
    main()
