"""A teacher's backbone that was pretrained on one lead: which weights may be one, and how it learns."""

import dataclasses

from transplant.errors import WeightsError, shorten
from transplant.modules.segment_attention import BACKBONES, SEGMENT_ATTENTION
from transplant.training.backbone_rates import BackboneRates
from transplant.training.transfer import find_weights, transfer_backbone
from transplant.training.weights import WeightsFile, checksum_of, read_weights


@dataclasses.dataclass(frozen=True)
class PretrainedBackbone:
    """Weights that a teacher starts from.

    Attributes:
        weights: the `WeightsFile`.
        rate: learning rate of the backbone as a share of the head's.
    """

    weights: WeightsFile
    rate: float

    @classmethod
    def read(cls, spec, data, rate):
        """Read the weights that a command line names, where they can serve a teacher of these records.

        Args:
            spec: weights file or job folder, as `find_weights` takes it.
            data: `LabelledSet` that the teacher sees.
            rate: as the attribute.

        Raises:
            WeightsError: if there are none, or they are of another network than a 1-D ResNet, of several leads, or
                of another sampling rate. Unit and kind of standardisation are looked at in `transfer`.
        """
        path = find_weights(spec)
        weights = read_weights(path)
        there = weights.description
        if there.architecture not in BACKBONES:
            raise WeightsError(
                f"{path}: a teacher's backbone is one of {', '.join(BACKBONES)}. Received: {there.architecture}; give "
                "weights of such a network"
            )
        if len(there.leads) > 1:
            raise WeightsError(
                f"{path}: a teacher's backbone sees one lead at a time. Received: weights of "
                f"{shorten(there.leads)}; pretrain on one lead"
            )
        if there.sampling_rate_hz != data.sampling_rate_hz:
            ours, theirs = _in_words(data.sampling_rate_hz), _in_words(there.sampling_rate_hz)
            raise WeightsError(
                f"{path}: a backbone sees records of the rate that it was trained at. Received: weights of {theirs}, "
                f"{data.dataset} of {ours}; pretrain at that rate, on a store of pretraining.prepare --rate"
            )
        return cls(weights, rate)

    def describe(self, description, segment):
        """Return the `ModelDescription` of the teacher, which says what it started from.

        Args:
            description: of a segment network for the same records.
            segment: samples of a segment.
        """
        there = self.weights.description
        start = {
            "architecture": there.architecture,
            "task": there.task,
            "weights": str(self.weights.path),
            "checksum": checksum_of(self.weights.arrays),
        }
        return dataclasses.replace(
            description,
            architecture=SEGMENT_ATTENTION,
            stages=there.stages,
            data=description.data | {"size": {"segment": segment}, "backbone": start},
        )

    def transfer(self, network, description, log=print):
        """Set the backbone of a teacher to the weights.

        Args:
            network: what `build_segment_attention` returned.
            description: what `describe` returned.
            log: function that takes a line.

        Raises:
            WeightsError: as `transfer_backbone`.
        """
        there = self.weights.description
        of_one_lead = dataclasses.replace(description, architecture=there.architecture, leads=there.leads)
        transfer_backbone(network, self.weights, of_one_lead, log)
        # A name there has the label version behind it.
        if there.task == "finetuning" and there.data["name"].partition(" ")[0] == description.data["name"]:
            log(f"{self.weights.path} was fine-tuned on {there.data['name']} too: it may have seen records of the test")

    def rate_of(self, description):
        """Return what `build_optimizer` takes as `rate_of`: the share of the learning rate that a variable has."""
        return BackboneRates(self.rate).rate_of(description.stages)


def _in_words(rate_hz):
    return "no rate" if rate_hz is None else f"{rate_hz:g} Hz"
