"""X-Forwarded-Groups as Apache's modules write it with the files of deploy/. The tests of the modules compare the rows
with the real programs, and the tests of the gateway read them."""

MOD_SHIB: list[tuple[list[str], str, set[str]]] = [
    ([], "", set()),
    (["urn:mace:example.edu:supervisors"], "urn:mace:example.edu:supervisors", {"urn:mace:example.edu:supervisors"}),
    (["staff", "supervisors"], "staff;supervisors", {"staff", "supervisors"}),
    (["staff", "x;supervisors"], r"staff;x\;supervisors", {"staff", "x;supervisors"}),
    ([r"a\b", "c"], r"a\b;c", {r"a\b", "c"}),
    ([r"p\;q"], r"p\\;q", {r"p\;q"}),
    (["end\\", "last"], r"end\;last", {"end;last"}),
    (["Lehrkräfte"], "Lehrkräfte", {"Lehrkräfte"}),
    (["cn=staff,dc=edu"], "cn=staff,dc=edu", {"cn=staff,dc=edu"}),
]
"""The groups, the header, and the groups that the gateway reads. mod_shib does not escape a backslash, so that one at
the end of a group's name joins it to the next."""

JOINED: list[tuple[list[str], str, set[str]]] = [
    ([], "", set()),
    (["supervisors"], "supervisors", {"supervisors"}),
    (["staff", "supervisors"], "staff;supervisors", {"staff", "supervisors"}),
    ([r"a\b", "c"], r"a\b;c", {r"a\b", "c"}),
    (["Lehrkräfte"], "Lehrkräfte", {"Lehrkräfte"}),
]
"""The same of mod_auth_mellon and mod_auth_openidc, which escape nothing."""

REFUSED = (["x;supervisors"], ["staff", "x;supervisors"], ["end\\", "last"])
"""Groups with which the files of mod_auth_mellon and mod_auth_openidc let nobody in."""
