"""The two steps of `condensation_step.py` in PyTorch, as the public codes take them."""

import torch
from torch import nn


def convnet(classes=10, width=128):
    """Return DC's ConvNet for 28 x 28 x 1."""
    layers, channels = [], 1
    for depth in range(3):
        layers += [
            nn.Conv2d(channels, width, 3, padding=3 if depth == 0 else 1),
            nn.GroupNorm(width, width, affine=True),
            nn.ReLU(),
            nn.AvgPool2d(2, 2),
        ]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 16, classes))


def _distance(real, synthetic):
    total = torch.zeros(())
    for a, b in zip(real, synthetic):
        if a.dim() > 1:
            a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
            total = total + torch.sum(1 - torch.sum(a * b, -1) / (torch.norm(a, dim=-1) * torch.norm(b, dim=-1) + 1e-6))
    return total


def matching_step(real, synthetic, label):
    """Return a function that takes one class's gradient-matching step.

    Args:
        real, synthetic: float32 arrays (n, 28, 28, 1).
        label: class index.
    """
    model = convnet()
    weights, loss_of = list(model.parameters()), nn.CrossEntropyLoss()
    real = torch.tensor(real).permute(0, 3, 1, 2).contiguous()
    images = torch.tensor(synthetic).permute(0, 3, 1, 2).contiguous().requires_grad_()
    optimizer = torch.optim.SGD([images], lr=0.1, momentum=0.5)

    def step():
        targets = torch.full((len(real),), label)
        of_real = torch.autograd.grad(loss_of(model(real), targets), weights)
        of_real = [gradient.detach().clone() for gradient in of_real]
        loss = loss_of(model(images), targets[: len(images)])
        of_synthetic = torch.autograd.grad(loss, weights, create_graph=True)
        optimizer.zero_grad()
        _distance(of_real, of_synthetic).backward()
        optimizer.step()

    return step


_LENET = ((6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84))


def _lenet(weights, x):
    functional = nn.functional
    x = functional.max_pool2d(functional.relu(functional.conv2d(x, weights[0], weights[1], padding=2)), 2)
    x = functional.max_pool2d(functional.relu(functional.conv2d(x, weights[2], weights[3])), 2).flatten(1)
    x = functional.relu(functional.linear(x, weights[4], weights[5]))
    x = functional.relu(functional.linear(x, weights[6], weights[7]))
    return functional.linear(x, weights[8], weights[9])


def vanilla_step(real, labels, synthetic, targets, networks):
    """Return a function that takes one step of vanilla distillation: one descent of each network, differentiated.

    Args:
        real, synthetic: float32 arrays (n, 28, 28, 1).
        labels, targets: their classes.
        networks: number of networks.
    """
    loss_of = nn.CrossEntropyLoss()
    real = torch.tensor(real).permute(0, 3, 1, 2).contiguous()
    labels, targets = torch.tensor(labels), torch.tensor(targets)
    images = torch.tensor(synthetic).permute(0, 3, 1, 2).contiguous().requires_grad_()
    rate = torch.tensor(0.02, requires_grad=True)
    optimizer = torch.optim.Adam([images, rate], lr=0.01, betas=(0.5, 0.999))

    def step():
        optimizer.zero_grad()
        for _ in range(networks):
            weights = []
            for shape in _LENET:
                weights += [torch.nn.init.xavier_normal_(torch.empty(shape)).requires_grad_()]
                weights += [torch.zeros(shape[0], requires_grad=True)]
            loss = loss_of(_lenet(weights, images), targets)
            gradients = torch.autograd.grad(loss, weights, create_graph=True)
            moved = [weight - rate * gradient for weight, gradient in zip(weights, gradients)]
            (loss_of(_lenet(moved, real), labels) / networks).backward()
        optimizer.step()

    return step
