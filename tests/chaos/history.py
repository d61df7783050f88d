"""Reads what pushers wrote down, and says whether the promises were kept. Each push adds 1 to every weight."""
import bisect
import collections


class Session:
    """One membership: an incarnation of a rank."""

    def __init__(self, begun):
        self.proven = begun  # a pull asked for then was answered, so it was a member
        self.commits = []    # (time, clock), as each was about to be sent


class History:
    def __init__(self, paths):
        self.pushes = []       # times at which one was about to be sent
        self.acknowledged = [] # times
        self.pulls = []        # (asked, answered, clock, lowest, highest, session)
        self.observed = []     # (time, lowest, highest)
        self.left = 0
        self.sessions = []
        self.losses = collections.Counter()
        for path in paths:
            self._read(path)
        self.pushes.sort()
        self.acknowledged.sort()

    def _read(self, path):
        session, asked = None, None
        for line in open(path):
            words = line.split()
            time, what = int(words[0]), words[1]
            if what == "join":
                session = Session(time)
                self.sessions.append(session)
            elif what == "lost":
                self.losses[" ".join(words[2:])[:60]] += 1
            elif what == "asked":
                asked = time
            elif what == "pulled":
                self.pulls.append((asked, time, *map(int, words[2:5]), session))
                session.proven = asked
            elif what == "push":
                self.pushes.append(time)
            elif what == "pushed":
                self.acknowledged.append(time)
            elif what == "commit":
                session.commits.append((time, int(words[2])))
            elif what == "observed":
                self.observed.append((time, *map(int, words[2:4])))
            elif what == "left":
                self.left += 1

    def before(self, times, time):
        return bisect.bisect_left(times, time)

    def longest_stall_ms(self):
        times = self.acknowledged
        return max((b - a for a, b in zip(times, times[1:])), default=0) / 1e6

    def check(self, policy, staleness):
        """lost, doubled and torn_steps (sync: pulls of weights that are not those of the step), early_pulls (bounded:
        granted before the policy allows it)."""
        found = {"lost": 0, "doubled": 0, "torn_steps": 0, "early_pulls": 0}
        if policy == "sync":
            # The mean of ones is 1, whoever contributes: after n steps every weight is n.
            for _, _, clock, lowest, highest, _ in self.pulls:
                found["torn_steps"] += lowest != clock or highest != clock
            return found
        # Whatever was acknowledged before a pull was asked for is in it, and nothing that was not pushed yet.
        views = [(asked, answered, lowest, highest) for asked, answered, _, lowest, highest, _ in self.pulls]
        time, lowest, highest = max(self.observed)
        views.append((time, time, lowest, highest))
        for asked, answered, lowest, highest in views:
            found["lost"] = max(found["lost"], self.before(self.acknowledged, asked) - lowest)
            found["doubled"] = max(found["doubled"], highest - self.before(self.pushes, answered))
        if policy == "bounded":
            found["early_pulls"] = self.early_pulls(staleness)
        return found

    def early_pulls(self, staleness):
        """A pull of clock c waits until every other member has committed clocks below c - staleness. Counted are those
        that were members for certain, from before it was asked for until after it was answered."""
        early = 0
        for asked, answered, clock, _, _, own in self.pulls:
            for other in self.sessions:
                if other is own or not other.commits or other.commits[0][0] > asked or other.proven < answered:
                    continue
                at = bisect.bisect_right(other.commits, (answered, float("inf")))
                early += other.commits[at - 1][1] + 1 < clock - staleness
        return early
