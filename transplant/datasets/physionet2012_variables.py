"""The variables of the PhysioNet/CinC Challenge 2012: units, normal values, and what is plausible."""

from transplant.datasets.icu_tensor import IcuVariable
from transplant.errors import OptionError, shorten

# Written once, at 00:00; Weight too has a first value there, but is a series: it is weighed again.
STATICS = ("Age", "Gender", "Height", "ICUType")
RECORD_ID = "RecordID"

# Never inputs. The scores are the rivals that the challenge compares with, the rest is known after the stay.
OUTCOMES = {
    "SAPS-I": "a severity score that predictions are compared with",
    "SOFA": "a severity score that predictions are compared with",
    "Length_of_stay": "it is known only after the stay, and the target of --target los",
    "Survival": "it is known only after the stay",
    "In-hospital_death": "it is the target",
}

# The number that stands for the first category in the files; the others follow by 1.
FIRST_CATEGORY = {"Gender": 0, "ICUType": 1, "GCS": 3, "MechVent": 0}

_GLASGOW = tuple(str(total) for total in range(3, 16))

# Normal values: those of Harutyunyan et al. where the variable is theirs (blood pressures, FiO2, GCS, Glucose,
# Height, HR, pH, RespRate, SaO2, Temp, Weight), the middle of an adult's reference range elsewhere. Constants,
# because means of the data would carry test records into training.
# Plausible ranges exclude what cannot have been the patient's, and nothing that is only rare:
#   Height        in metres (1.8) or with a slipped digit (13 to 18, 366 to 432); the true one is a guess
#   Weight        0 to 3.4 kg stands for not weighed, or is a slip; adults only
#   pressures     0 is a transducer that is disconnected or a cuff that failed, above is a flushed line; the series
#                 do not tell a pulseless patient from these
#   HR, RespRate  0 to 8 beats and 0 breaths: a lead or sensor that is off, as above; 91 and 98 breaths: artefact
#   Temp          below 20 C: 0 and -17.8 (0 F) stand for none; nothing lies between 3.6 and 24.2
#   pH            1, 3, 94 to 735: other units, or a slipped point; blood is between 6.5 and 8
#   PaCO2, PaO2   0.3 and 7.47: other units
#   K             above 15 mmol/L: a haemolysed sample
#   Urine         above 5 l in one entry: more than any bag holds
# Laboratory values reach far, and only 0 or less and absurd numbers are excluded. -1 means missing everywhere.
# The challenge's list has mmol/L for Mg; the values (median 2.0) are mg/dL.
VARIABLES = (
    IcuVariable("Age", "years", 65, low=15, high=120),
    IcuVariable("Gender", "1", "male", ("female", "male")),
    IcuVariable("Height", "cm", 170, low=100, high=230),
    IcuVariable("ICUType", "1", "medical", ("coronary", "cardiac surgery", "medical", "surgical")),
    IcuVariable("ALP", "IU/L", 80, low=1, high=10000),
    IcuVariable("ALT", "IU/L", 25, low=1, high=50000),
    IcuVariable("AST", "IU/L", 25, low=1, high=50000),
    IcuVariable("Albumin", "g/dL", 4.0, low=0.3, high=8),
    IcuVariable("BUN", "mg/dL", 14, low=1, high=400),
    IcuVariable("Bilirubin", "mg/dL", 0.7, low=0.01, high=100),
    IcuVariable("Cholesterol", "mg/dL", 180, low=10, high=1500),
    IcuVariable("Creatinine", "mg/dL", 0.9, low=0.05, high=60),
    IcuVariable("DiasABP", "mmHg", 59, low=5, high=220),
    IcuVariable("FiO2", "fraction", 0.21, low=0.2, high=1),
    IcuVariable("GCS", "1", "15", _GLASGOW),
    IcuVariable("Glucose", "mg/dL", 128, low=5, high=3000),
    IcuVariable("HCO3", "mmol/L", 24, low=1, high=80),
    IcuVariable("HCT", "%", 42, low=3, high=80),
    IcuVariable("HR", "1/min", 86, low=10, high=300),
    IcuVariable("K", "mmol/L", 4.2, low=1, high=15),
    IcuVariable("Lactate", "mmol/L", 1.0, low=0.1, high=50),
    IcuVariable("MAP", "mmHg", 77, low=10, high=250),
    IcuVariable("MechVent", "1", "no", ("no", "yes")),
    IcuVariable("Mg", "mg/dL", 2.0, low=0.1, high=20),
    IcuVariable("NIDiasABP", "mmHg", 59, low=5, high=220),
    IcuVariable("NIMAP", "mmHg", 77, low=10, high=250),
    IcuVariable("NISysABP", "mmHg", 118, low=20, high=300),
    IcuVariable("Na", "mmol/L", 140, low=80, high=220),
    IcuVariable("PaCO2", "mmHg", 40, low=5, high=250),
    IcuVariable("PaO2", "mmHg", 95, low=15, high=760),
    IcuVariable("Platelets", "1000/uL", 250, low=1, high=5000),
    IcuVariable("RespRate", "1/min", 19, low=1, high=80),
    IcuVariable("SaO2", "%", 98, low=10, high=100),
    IcuVariable("SysABP", "mmHg", 118, low=20, high=300),
    IcuVariable("Temp", "C", 36.6, low=20, high=45),
    # Both troponins: below what the assays can tell from none (0.3 and 0.01).
    IcuVariable("TroponinI", "ug/L", 0.1, low=0, high=1000),
    IcuVariable("TroponinT", "ug/L", 0.005, low=0, high=100),
    IcuVariable("Urine", "mL", 80, low=0, high=5000),
    IcuVariable("WBC", "1000/uL", 7.5, low=0.01, high=1000),
    IcuVariable("Weight", "kg", 81, low=20, high=400),
    IcuVariable("pH", "1", 7.4, low=6.5, high=8),
)


def choose_variables(names=None):
    """Return the `IcuVariable`s called `names`, always in the order of `VARIABLES`.

    Args:
        names: comma-separated text or a list, without regard to case. Defaults to all 41.

    Raises:
        OptionError: if a name is an outcome, which is never an input, is unknown or stands there twice.
    """
    if names is None:
        return VARIABLES
    names = [str(name).strip() for name in (names.split(",") if isinstance(names, str) else names)]
    outcomes = {name.lower(): name for name in OUTCOMES}
    known = {variable.name.lower() for variable in VARIABLES}
    for name in names:
        if name.lower() in outcomes:
            outcome = outcomes[name.lower()]
            raise OptionError(
                f"an outcome is never an input. Received: --variables with {outcome} ({OUTCOMES[outcome]}); "
                "leave it out"
            )
        if name.lower() not in known:
            raise OptionError(
                f"variables are {', '.join(variable.name for variable in VARIABLES)}. Received: --variables with "
                f"{name or 'an empty name'}"
            )
    wanted = [name.lower() for name in names]
    twice = [name for index, name in enumerate(names) if name.lower() in wanted[:index]]
    if twice or not names:
        raise OptionError(
            f"each variable is named once, and one at least. Received: --variables with "
            f"{shorten(twice) + ' again' if twice else 'none'}; name each once"
        )
    return tuple(variable for variable in VARIABLES if variable.name.lower() in wanted)
