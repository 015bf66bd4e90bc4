"""Steps for test_portable, which a process pool imports."""

from flowgraph.dsl import step


@step("double")
def double(number, *, plus=0):
    return number * 2 + plus


def undecorated(number):
    return number * 3


class Machine:
    def __init__(self, factor):
        self.factor = factor

    @step("times")
    def times(self, number):
        return self.factor * number

    @classmethod
    @step("build")
    def build(cls, factor):
        return cls(factor).factor
