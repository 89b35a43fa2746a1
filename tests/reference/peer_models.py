"""The networks of ditto's models/ in PyTorch, with the same names: for step_parity.py and bench_peer.py."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, width_in, width_out, stride):
        super().__init__()
        self.stride, self.extra = stride, width_out - width_in
        self.conv1 = nn.Conv2d(width_in, width_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width_out)
        self.conv2 = nn.Conv2d(width_out, width_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width_out)

    def shortcut(self, x):  # option A: every second pixel, zero channels behind the existing ones
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.extra)) if self.extra else x

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x), inplace=True)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Block(16, 16, 1) for _ in range(3)])
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, channels, growth, bottleneck):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        if bottleneck:
            self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(4 * growth)
            self.conv2 = nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)
        else:
            self.conv1 = nn.Conv2d(channels, growth, 3, 1, 1, bias=False)
        self.bottleneck = bottleneck

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x), inplace=True))
        return self.conv2(F.relu(self.norm2(y), inplace=True)) if self.bottleneck else y


class DenseBlock(nn.Sequential):
    def forward(self, x):
        for layer in self:
            x = torch.cat((x, layer(x)), 1)
        return x


class Transition(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, out, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x), inplace=True)), 2)


class DenseNet(nn.Module):
    def __init__(self, depth, growth=12, bottleneck=False, compression=1.0, channels=16):
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, channels, 3, 1, 1, bias=False))
        layers = (depth - 4) // (6 if bottleneck else 3)
        for block in (1, 2, 3):
            names = [f"denselayer{i + 1}" for i in range(layers)]
            members = [DenseLayer(channels + i * growth, growth, bottleneck) for i in range(layers)]
            dense = DenseBlock()
            for name, member in zip(names, members):
                dense.add_module(name, member)
            self.features.add_module(f"denseblock{block}", dense)
            channels += layers * growth
            if block < 3:
                self.features.add_module(f"transition{block}", Transition(channels, int(compression * channels)))
                channels = int(compression * channels)
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, 10)

    def forward(self, x):
        return self.classifier(F.relu(self.features(x), inplace=True).mean((2, 3)))


MODELS = {
    "resnet20": ResNet20,
    "densenet40": lambda: DenseNet(40),
    "densenet-bc-100": lambda: DenseNet(100, bottleneck=True, compression=0.5, channels=24),
}
