"""Categories of ICD-9-CM diagnosis codes.

Source: ICD-9-CM, volume 1: a category is the three characters before the
point, "V45" of V45.81, and of an external cause the four, "E878" of E878.8.
"""

import re

_CODE = re.compile(r"(?P<category>\d{3}|V\d{2}|E\d{3})(?:\.?(?P<detail>\d{1,2}))?", re.IGNORECASE)
_LAST_V = 91


def icd9_category(code):
    """Return the category of a diagnosis code.

    Args:
        code: as the MIMIC tables write it, without the point ("4019", "V4581", "E8788"), or with
            it; spaces around it do not count.

    Returns:
        Its first three characters, of an E code four, in upper case; None if `code` is no ICD-9 code.

    Example:
        >>> icd9_category("4019"), icd9_category("E8788"), icd9_category("I10")
        ('401', 'E878', None)
    """
    found = _CODE.fullmatch(code.strip())
    if not found:
        return None
    category = found["category"].upper()
    # E codes have one digit after the point; 000 is no category, and the V codes end at V91.
    if category[0] == "E":
        return category if len(found["detail"] or "") <= 1 else None
    if category[0] == "V":
        return category if 1 <= int(category[1:]) <= _LAST_V else None
    return category if category != "000" else None
