"""Class names and constants of Icentia11k, shared by every annotated recording.

Source: Tan et al., "Icentia11k: an unsupervised representation learning
dataset for arrhythmia subtype discovery" (2019), and the class order of the
public Weimann-Conrad code, which trained weights depend on.
"""

ds_beat_names = {0: "undefined", 1: "normal", 2: "pac", 3: "aberrated", 4: "pvc"}
ds_rhythm_names = {0: "undefined", 1: "end", 2: "noise", 3: "normal", 4: "afib", 5: "aflut"}
ds_hr_names = {0: "tachycardia", 1: "bradycardia", 2: "normal", 3: "noise"}

BEAT_UNDEFINED, BEAT_NORMAL, BEAT_PAC, BEAT_ABERRATED, BEAT_PVC = range(5)
RHYTHM_UNDEFINED, RHYTHM_END, RHYTHM_NOISE, RHYTHM_NORMAL, RHYTHM_AFIB, RHYTHM_AFLUT = range(6)
HR_TACHYCARDIA, HR_BRADYCARDIA, HR_NORMAL, HR_NOISE = range(4)

SAMPLING_RATE_HZ = 250
PAPER_MEAN_MV, PAPER_STD_MV = 0.0018, 1.3711
