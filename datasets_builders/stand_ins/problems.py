"""Section 3.2, Table 1 (mathematics): word problems whose answers are computed, one function per kind of problem."""

from collections.abc import Callable
from math import gcd
from random import Random

NAMES = ("Ada", "Bo", "Chen", "Dina", "Emil", "Fatima", "Goran", "Hana", "Ivo", "Jun", "Kofi", "Lena", "Mara", "Nils")
THINGS = ("apples", "books", "coins", "marbles", "pencils", "shells", "stamps", "tickets")
PLACES = ("the market", "the station", "school", "the library", "the harbour", "the workshop")

Problem = tuple[str, str, str]
"""Question, worked answer, final answer."""


def shopping(draw: Random) -> Problem:
    """Ask for the change after a purchase: a sum of products."""
    name, place = draw.choice(NAMES), draw.choice(PLACES)
    first, second = draw.sample(THINGS, 2)
    count_1, price_1, count_2, price_2 = (draw.randint(2, 40) for _ in range(4))
    cost_1, cost_2 = count_1 * price_1, count_2 * price_2
    total = cost_1 + cost_2
    paid = -(-total // 100) * 100
    question = (
        f"At {place} {name} buys {count_1} {first} at {price_1} crowns each and {count_2} {second} at {price_2} crowns "
        f"each, and pays with {paid} crowns. How many crowns does {name} get back?"
    )
    work = (
        f"The {first} cost {count_1} * {price_1} = {cost_1} crowns and the {second} {count_2} * {price_2} = {cost_2} "
        f"crowns. Together that is {cost_1} + {cost_2} = {total} crowns. The change is {paid} - {total} = "
        f"{paid - total} crowns."
    )
    return question, work, str(paid - total)


def journey(draw: Random) -> Problem:
    """Ask for the mean speed over two legs, as a fraction."""
    name = draw.choice(NAMES)
    hours_1, hours_2 = draw.randint(1, 6), draw.randint(1, 6)
    speed_1, speed_2 = draw.randint(3, 120), draw.randint(3, 120)
    distance = hours_1 * speed_1 + hours_2 * speed_2
    hours = hours_1 + hours_2
    divisor = gcd(distance, hours)
    mean = str(distance // hours) if divisor == hours else f"{distance // divisor}/{hours // divisor}"
    question = (
        f"{name} travels {hours_1} h at {speed_1} km/h and then {hours_2} h at {speed_2} km/h. What is the mean speed "
        "in km/h? Give a whole number or a fraction in lowest terms."
    )
    work = (
        f"The first part is {hours_1} * {speed_1} = {hours_1 * speed_1} km, the second {hours_2} * {speed_2} = "
        f"{hours_2 * speed_2} km, together {distance} km. The time is {hours_1} + {hours_2} = {hours} h. The mean "
        f"speed is {distance} / {hours} = {mean} km/h."
    )
    return question, work, mean


def sharing(draw: Random) -> Problem:
    """Ask for a division with remainder."""
    name, thing = draw.choice(NAMES), draw.choice(THINGS)
    people, each = draw.randint(3, 30), draw.randint(2, 90)
    left = draw.randint(0, people - 1)
    total = people * each + left
    question = (
        f"{name} shares {total} {thing} evenly among {people} friends, as many as possible to each. How many does each "
        f"friend get, and how many {thing} are left over?"
    )
    work = (
        f"{people} * {each} = {people * each}, and {total} - {people * each} = {left}, which is less than {people}. So "
        f"each friend gets {each} and {left} are left over."
    )
    return question, work, f"{each} each, {left} left over"


def equation(draw: Random) -> Problem:
    """Ask for the whole solution of a linear equation."""
    factor = draw.choice([*range(-12, 0), *range(1, 13)])
    solution, shift = draw.randint(-40, 40), draw.randint(1, 99)
    right = factor * solution + shift
    question = f"Solve {factor} * x + {shift} = {right} for x."
    work = (
        f"Subtract {shift} on both sides: {factor} * x = {right - shift}. Divide by {factor}: x = {right - shift} / "
        f"{factor} = {solution}."
    )
    return question, work, f"x = {solution}"


def ages(draw: Random) -> Problem:
    """Ask for two unknowns, given their sum and difference."""
    older, younger = draw.sample(NAMES, 2)
    low, difference = draw.randint(3, 60), draw.randint(1, 30)
    high = low + difference
    question = (
        f"{older} is {difference} years older than {younger}. Together they are {low + high} years old. How old is "
        f"{younger}?"
    )
    work = (
        f"If {younger} is y years old, {older} is y + {difference}, so 2 * y + {difference} = {low + high}. Then "
        f"2 * y = {low + high} - {difference} = {2 * low}, and y = {low}."
    )
    return question, work, str(low)


def remainder_of_power(draw: Random) -> Problem:
    """Ask for a power modulo a number, worked out by repeated multiplication."""
    base, exponent, modulus = draw.randint(2, 30), draw.randint(3, 7), draw.randint(3, 40)
    value, lines = base % modulus, []
    for power in range(2, exponent + 1):
        product = value * base
        lines.append(f"{base}^{power}: {value} * {base} = {product}, remainder {product % modulus}")
        value = product % modulus
    question = f"What is the remainder of {base}^{exponent} divided by {modulus}?"
    work = f"{base} leaves remainder {base % modulus}. " + "; ".join(lines) + "."
    return question, work, str(value)


def percentage(draw: Random) -> Problem:
    """Ask for a price in whole crowns after a cut by a whole percentage."""
    thing = draw.choice(THINGS)
    percent = draw.choice([5, 10, 15, 20, 25, 30, 40, 50, 60, 75])
    price = draw.randint(1, 60) * 20
    cut = price * percent // 100
    question = f"A box of {thing} costs {price} crowns. What does it cost after a discount of {percent} %?"
    work = (
        f"{percent} % of {price} crowns is {price} * {percent} / 100 = {cut} crowns. The new price is {price} - {cut} "
        f"= {price - cut} crowns."
    )
    return question, work, f"{price - cut} crowns"


PROBLEMS: tuple[Callable[[Random], Problem], ...] = (
    shopping,
    journey,
    sharing,
    equation,
    ages,
    remainder_of_power,
    percentage,
)
