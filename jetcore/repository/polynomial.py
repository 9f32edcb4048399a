"""Irreducible polynomials over GF(2), as restic's chunker wants one in a repository's config.

A polynomial is an integer whose bit *n* is the coefficient of x^n.
"""

from __future__ import annotations

import secrets

_DEGREE = 53


def random_irreducible() -> int:
    """Return a random irreducible polynomial of degree 53."""
    while True:
        # Without the lowest bit x would divide it.
        candidate = (1 << _DEGREE) | secrets.randbits(_DEGREE) | 1
        if is_irreducible(candidate):
            return candidate


def is_irreducible(polynomial: int) -> bool:
    """Say whether no polynomial of lower degree divides *polynomial* (the test of Ben-Or)."""
    power = 2  # x, then x^2, x^4, x^8 ... modulo the polynomial
    for _ in range((polynomial.bit_length() - 1) // 2):
        power = _remainder(_square(power), polynomial)
        if _common_divisor(polynomial, power ^ 2) != 1:
            return False
    return True


def _square(polynomial: int) -> int:
    # Squaring over GF(2) puts a zero between every two coefficients: read base 2 as base 4.
    return int(f"{polynomial:b}", 4)


def _remainder(polynomial: int, divisor: int) -> int:
    length = divisor.bit_length()
    while polynomial.bit_length() >= length:
        polynomial ^= divisor << (polynomial.bit_length() - length)
    return polynomial


def _common_divisor(a: int, b: int) -> int:
    while b:
        a, b = b, _remainder(a, b)
    return a
