"""How many machines and service resources so many calls take, and what a loss of replicas does to callers.

The first table is a sum over what one call costs. The second is a simulation: callers come by chance and
talk for chance lengths, each connects to a service resource chosen by chance, replicas are lost at once, and
who is cut off or refused dials again as the gateway's page does. docs/scale.md says where they are from.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

# A browser's call, bytes a second: 48 kHz from the page, 24 kHz back; 24 kHz as base64 with the service.
PAGE_UP, PAGE_DOWN, SERVICE = 96_000, 48_000, 64_000
# Of the page: connection.js.
FIRST_DELAY_S, LONGEST_DELAY_S, TRIES = 0.5, 8.0, 5
SETTLING_S = 60.0


@dataclass(frozen=True)
class Fleet:
    """What the calls take."""

    arrivals_per_s: float
    replicas: int
    calls_per_replica: float
    machines: int
    calls_per_machine: float
    resources_for_connects: int
    resources_for_tokens: int
    resources: int
    machine_in_gbit_s: float
    machine_out_gbit_s: float


def fleet(options: argparse.Namespace) -> Fleet:
    """The sum."""
    arrivals_per_s = options.calls / options.call_s
    replicas = math.ceil(options.calls / (options.fill * options.max_calls))
    cores = options.calls * options.cpu_ms / 1000
    machines = max(
        math.ceil(cores / (options.cores * options.busy)), math.ceil(replicas / options.cores)
    )
    per_machine = options.calls / machines
    for_connects = math.ceil(60 * arrivals_per_s / options.connects_per_min)
    for_tokens = math.ceil(60 * options.calls * options.tokens_per_s / options.tokens_per_min)
    talking = options.agent_speaks
    return Fleet(
        arrivals_per_s,
        replicas,
        options.calls / replicas,
        machines,
        per_machine,
        for_connects,
        for_tokens,
        options.resources or max(for_connects, for_tokens),
        per_machine * 8e-9 * (PAGE_UP + talking * SERVICE),
        per_machine * 8e-9 * (SERVICE + talking * PAGE_DOWN),
    )


@dataclass
class Outcome:
    """What the simulation saw after its settling time."""

    arrivals: int = 0
    refused_at_first: int = 0
    given_up: int = 0
    cut_off: int = 0
    cut_off_given_up: int = 0
    peak_connects_per_s: int = 0
    back_after_s: list[float] = field(default_factory=list)
    busiest_replica: int = 0


@dataclass
class Caller:
    """Somebody who wants to talk."""

    tries: int = 0
    cut_off_s: float | None = None


class Buckets:
    """The connections that each resource takes: so many at once, refilled evenly."""

    def __init__(self, resources: int, per_min: float, burst: float) -> None:
        self._per_s = per_min / 60
        self._burst = burst
        self._left = [burst] * resources
        self._at_s = [0.0] * resources

    def takes(self, resource: int, now_s: float) -> bool:
        refilled = (now_s - self._at_s[resource]) * self._per_s
        left = min(self._burst, self._left[resource] + refilled)
        self._at_s[resource] = now_s
        self._left[resource] = left - 1 if left >= 1 else left
        return left >= 1


class Simulation:
    """The calls of a fleet, event by event.

    Args:
        options: of the command line.
        size: of the fleet.
    """

    def __init__(self, options: argparse.Namespace, size: Fleet) -> None:
        self._options = options
        self._size = size
        self._random = random.Random(options.seed)
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._num_events = 0
        self._now_s = 0.0
        self._calls = [0] * size.replicas
        # A replica that comes back is another one: the calls of the one before do not end in it.
        self._generation = [0] * size.replicas
        self._is_up = [True] * size.replicas
        self._buckets = Buckets(size.resources, options.connects_per_min, options.burst)
        self._connects: dict[int, int] = {}
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """From a full fleet, over a loss, to the end."""
        for _ in range(self._options.calls):
            self._begin_call(self._free_replica())
        self._later(0.0, self._arrive)
        self._later(SETTLING_S, self._lose)
        end_s = SETTLING_S + self._options.seconds
        while self._events and self._events[0][0] < end_s:
            self._now_s, _, event = heapq.heappop(self._events)
            event()
        self._outcome.peak_connects_per_s = max(self._connects.values(), default=0)
        return self._outcome

    def _later(self, delay_s: float, event: Callable[[], object]) -> None:
        self._num_events += 1
        heapq.heappush(self._events, (self._now_s + delay_s, self._num_events, event))

    def _arrive(self) -> None:
        self._later(self._random.expovariate(self._size.arrivals_per_s), self._arrive)
        caller = Caller()
        is_taken = self._dial(caller)
        if self._now_s >= SETTLING_S:
            self._outcome.arrivals += 1
            self._outcome.refused_at_first += not is_taken

    def _dial(self, caller: Caller) -> bool:
        replica = self._free_replica()
        resource = self._random.randrange(self._size.resources)
        if replica is not None and self._connect(resource):
            self._begin_call(replica)
            if caller.cut_off_s is not None:
                self._outcome.back_after_s.append(self._now_s - caller.cut_off_s)
            return True
        # The service's refusal is 4502; a fleet without room refuses the connection, which is tried for ever.
        if replica is not None and caller.tries >= TRIES:
            if caller.cut_off_s is not None:
                self._outcome.cut_off_given_up += 1
            elif self._now_s >= SETTLING_S:
                self._outcome.given_up += 1
            return False
        self._redial(caller)
        return False

    def _redial(self, caller: Caller) -> None:
        longest_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**caller.tries)
        caller.tries += 1
        self._later(longest_s * self._random.uniform(0.5, 1.0), partial(self._dial, caller))

    def _connect(self, resource: int) -> bool:
        if self._now_s >= SETTLING_S:
            second = int(self._now_s)
            self._connects[second] = self._connects.get(second, 0) + 1
        return self._buckets.takes(resource, self._now_s)

    def _free_replica(self) -> int | None:
        # The kernel chooses by chance among those that listen; a full one does not.
        for _ in range(100):
            replica = self._random.randrange(self._size.replicas)
            if self._is_up[replica] and self._calls[replica] < self._options.max_calls:
                return replica
        return None

    def _begin_call(self, replica: int | None) -> None:
        assert replica is not None
        self._calls[replica] += 1
        self._outcome.busiest_replica = max(self._outcome.busiest_replica, self._calls[replica])
        generation = self._generation[replica]

        def end() -> None:
            if self._generation[replica] == generation:
                self._calls[replica] -= 1

        self._later(self._random.expovariate(1 / self._options.call_s), end)

    def _lose(self) -> None:
        for replica in range(min(self._options.lose, self._size.replicas)):
            self._outcome.cut_off += self._calls[replica]
            for _ in range(self._calls[replica]):
                self._redial(Caller(cut_off_s=self._now_s))
            self._calls[replica] = 0
            self._generation[replica] += 1
            self._is_up[replica] = False
            self._later(self._options.restart_s, partial(self._restart, replica))

    def _restart(self, replica: int) -> None:
        self._is_up[replica] = True


def parser() -> argparse.ArgumentParser:
    """The command line: each figure of the plan, by default those of docs/scale.md."""
    it = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    calls = it.add_argument_group("calls")
    calls.add_argument("--calls", type=int, default=100_000, help="open at once")
    calls.add_argument("--call-s", type=float, default=300.0, help="mean length of a call")
    calls.add_argument("--agent-speaks", type=float, default=0.5, help="share of the time")
    machines = it.add_argument_group("machines")
    machines.add_argument("--cpu-ms", type=float, default=6.0, help="of a call in a second")
    machines.add_argument("--cores", type=int, default=16, help="of a machine")
    machines.add_argument("--busy", type=float, default=0.6, help="share of the cores to use")
    machines.add_argument("--max-calls", type=int, default=130, help="a replica takes no more")
    machines.add_argument("--fill", type=float, default=0.7, help="share of them it is to have")
    service = it.add_argument_group("service")
    service.add_argument(
        "--connects-per-min", type=float, default=30.0, help="new ones that a resource takes"
    )
    service.add_argument(
        "--burst", type=float, default=30.0, help="of them that it takes at once; not documented"
    )
    service.add_argument(
        "--tokens-per-min", type=float, default=120_000.0, help="that a resource takes"
    )
    service.add_argument("--tokens-per-s", type=float, default=15.0, help="that a call takes")
    service.add_argument(
        "--resources", type=int, default=0, help="0: as many as the sum says, with no reserve"
    )
    loss = it.add_argument_group("simulation")
    loss.add_argument("--lose", type=int, default=16, help="replicas lost at once")
    loss.add_argument("--restart-s", type=float, default=20.0, help="until they are back")
    loss.add_argument("--seconds", type=float, default=300.0, help="looked at after the loss")
    loss.add_argument("--seed", type=int, default=1, help="of all that is by chance")
    return it


def main() -> None:
    options = parser().parse_args()
    size = fleet(options)
    print(
        f"{options.calls:,} calls of {options.call_s:g} s: {size.arrivals_per_s:.0f} new a second"
    )
    print(f"  replicas           {size.replicas:,} with {size.calls_per_replica:.0f} calls each")
    print(f"  machines           {size.machines:,} with {size.calls_per_machine:,.0f} calls each")
    print(
        f"  a machine's net    {size.machine_in_gbit_s:.2f} Gbit/s in, {size.machine_out_gbit_s:.2f} out"
    )
    print(
        f"  service resources  {size.resources_for_connects:,} by connects, "
        f"{size.resources_for_tokens:,} by tokens"
    )
    seen = Simulation(options, size).run()
    back = sorted(seen.back_after_s) or [0.0]
    print(
        f"{options.lose} replicas lost at once, {size.resources:,} resources, {options.seconds:g} s:"
    )
    print(f"  calls cut off      {seen.cut_off:,}, {seen.cut_off_given_up} of them gave up")
    print(
        f"  talking again      p50 {back[len(back) // 2]:.1f} s, p99 {back[len(back) * 99 // 100]:.1f} s"
    )
    print(f"  connects a second  {seen.peak_connects_per_s:,} at most")
    refused = seen.refused_at_first / max(1, seen.arrivals)
    print(
        f"  new callers        {seen.arrivals:,}, {refused:.2%} refused at first, {seen.given_up} gave up"
    )
    print(f"  fullest replica    {seen.busiest_replica} of {options.max_calls} calls")


if __name__ == "__main__":
    main()
