"""The steps of `rdpd_step.py` in PyTorch, as the public code takes them: convolutions of segments, LSTM, attention."""

import torch
from torch import nn
from torch.nn import functional


class SegmentRnn(nn.Module):
    """Two convolutions, the mean over time, a bidirectional LSTM over segments, attention, a dense layer."""

    def __init__(self, channels, filters, hidden, segment, classes):
        super().__init__()
        self.segment = segment
        self.conv1 = nn.Conv1d(channels, filters, 32, stride=8)
        self.conv2 = nn.Conv1d(filters, 2 * filters, 32, stride=8)
        self.dropout = nn.Dropout(0.5)
        self.lstm = nn.LSTM(2 * filters, hidden, batch_first=True, bidirectional=True)
        self.scores = nn.Linear(2 * hidden, 1, bias=False)
        self.head = nn.Linear(2 * hidden, classes)
        self.combination = nn.Parameter(torch.tensor([0.5, 0.5, 0.0]))

    def forward(self, x):
        """Return logits and attention of records (batch, channels, samples)."""
        batch, channels, samples = x.shape
        segments = samples // self.segment
        x = x.reshape(batch, channels, segments, self.segment).permute(0, 2, 1, 3).reshape(-1, channels, self.segment)
        for conv in (self.conv1, self.conv2):
            x = self.dropout(functional.relu(conv(x)))
        x, _ = self.lstm(x.mean(dim=-1).reshape(batch, segments, -1))
        attention = torch.softmax(self.scores(x).squeeze(-1), dim=1)
        return self.head((attention.unsqueeze(-1) * x).sum(dim=1)), attention


def training_step(x, labels, imitated, filters, hidden, segment, temperature):
    """Return a function that takes one training step with Adam.

    Args:
        x: float32 array (batch, samples, channels).
        labels: classes (batch,).
        imitated: (logits, attention) of a teacher, or None: the step of a teacher.
        filters, hidden, segment: sizes.
        temperature: T.
    """
    x, labels = torch.tensor(x).permute(0, 2, 1).contiguous(), torch.tensor(labels).long()
    model = SegmentRnn(x.shape[1], filters, hidden, segment, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    teacher = imitated and tuple(torch.tensor(part) for part in imitated)

    def step():
        logits, attention = model(x)
        if teacher is None:
            loss = functional.cross_entropy(logits / temperature, labels)
        else:
            soft_labels = torch.softmax(teacher[0] / temperature, dim=1)
            at_t = torch.log_softmax(logits / temperature, dim=1)
            loss = functional.cross_entropy(logits, labels) - temperature**2 * (soft_labels * at_t).sum(dim=1).mean()
            loss = loss + (attention * (attention.log() - teacher[1].log())).sum(dim=1).mean()
            w1, w2, b = model.combination
            mixture = w1 * torch.softmax(logits, dim=1) + w2 * at_t.exp() + b
            loss = loss + functional.cross_entropy(mixture, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return step
