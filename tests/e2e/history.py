"""Is a history of concurrent transactions strictly serialisable? Decided after Kingsbury and Alvaro, "Elle:
inferring isolation anomalies from experimental observations" (VLDB 2020): every write appends an element
nobody else appends, so a read of a list shows which writes came before it and in which order. From that
follow edges between transactions, each saying which of the two came first:

  ww  the second appended right behind the first's element
  wr  the second read the first's element as the last
  rw  the first read a list without the second's element, which is the next
  rt  the first had answered before the second was asked

If some order explains all of it, there is no cycle. What no order can explain is found before that: lost,
doubled or strange elements, lists that are no prefix of one another, parts of a transaction."""


class Anomaly(AssertionError):
    pass


class Txn:
    """Appends are (key, element), reads (key, elements seen, appends of its own to the key before it).
    `end` is when it was answered; if it never was, when the server had surely stopped, and nobody knows
    whether it happened."""

    def __init__(self, name, begin, end=None):
        self.name, self.begin, self.end = name, begin, end
        self.appends, self.reads = [], []
        self.answered = self.aborted = False

    def __repr__(self):
        return self.name


def require(condition, text, *args):
    if not condition:
        raise Anomaly(text % args)


# --- the order of the elements of each key ---------------------------------------------------------------


def writers_of(txns):
    writers = {}
    for t in txns:
        for key, element in t.appends:
            require((key, element) not in writers, "%s is appended twice", (key, element))
            writers[key, element] = t
    return writers


def orders_of(txns, final):
    """By key, its elements in order: what is there at the end. All reads are prefixes of it."""
    for t in txns:
        for key, seen, _ in t.reads:
            whole = final.get(key, [])
            require(seen == whole[:len(seen)], "%s read %s of %s, which became %s", t, seen, key,
                    whole[:len(seen) + 5])
    for key, whole in final.items():
        require(len(set(whole)) == len(whole), "%s has an element twice: %s", key, whole)
    return final


def check_elements(txns, writers, orders):
    """Every element has a writer that was not aborted; all of an answered transaction is there, and of any
    other all or nothing."""
    present = set()
    for key, whole in orders.items():
        for element in whole:
            t = writers.get((key, element))
            require(t, "%s of %s was appended by nobody", element, key)
            require(not t.aborted, "%s was aborted, and its %s is in %s", t, element, key)
            present.add((key, element))
    for t in txns:
        there = [a in present for a in t.appends]
        require(not t.answered or t.aborted or all(there), "%s was answered, lost are %s", t,
                [a for a in t.appends if a not in present])
        require(len(set(there)) < 2, "of %s only a part is there: %s", t,
                [a for a in t.appends if a in present])
    return [t for t in txns if not t.aborted and (t.answered or
                                                  (t.appends and t.appends[0] in present))]


def check_own(t, whole, key, seen, own):
    """A read sees the transaction's own appends before it, and nobody else's between them."""
    mine = [e for k, e in t.appends if k == key][:own]
    require(seen[len(seen) - own:] == mine, "%s read %s of %s after appending %s", t, seen[-5:], key,
            mine)


# --- edges -------------------------------------------------------------------------------------------------


def edges_of_key(key, whole, writers):
    for before, after in zip(whole, whole[1:]):
        yield writers[key, before], writers[key, after], "ww of %s" % key


def edges_of_read(t, key, seen, own, whole, writers):
    others = seen[:len(seen) - own]
    if others:
        yield writers[key, others[-1]], t, "wr of %s" % key
    after = whole[len(seen):]
    while after and writers[key, after[0]] is t:
        after = after[1:]
    if after:
        yield t, writers[key, after[0]], "rw of %s" % key


def edges_of_time(txns):
    """A chain of moments: a transaction leads to the moment of its answer, and the last moment before a
    transaction was asked to it. So there are few edges, and whatever followed in time is reachable."""
    ends = sorted(txns, key=lambda t: t.end)
    moments = [("moment", i) for i in range(len(ends))]
    for i, t in enumerate(ends):
        yield t, moments[i], "answer"
        if i:
            yield moments[i - 1], moments[i], "time"
    at = -1
    for t in sorted(txns, key=lambda t: t.begin):
        while at + 1 < len(ends) and ends[at + 1].end < t.begin:
            at += 1
        if at >= 0:
            yield moments[at], t, "rt"


def graph_of(txns, writers, orders):
    graph = {}

    def add(edges):
        for a, b, why in edges:
            graph.setdefault(b, {})
            if a is not b:
                graph.setdefault(a, {}).setdefault(b, why)

    for key, whole in orders.items():
        add(edges_of_key(key, whole, writers))
    for t in txns:
        for key, seen, own in t.reads:
            check_own(t, orders.get(key, []), key, seen, own)
            add(edges_of_read(t, key, seen, own, orders.get(key, []), writers))
    add(edges_of_time(txns))
    return graph


# --- cycles ------------------------------------------------------------------------------------------------


def leftovers(graph):
    """What remains when one removes, again and again, what nothing leads to: empty if there is no cycle."""
    into = dict.fromkeys(graph, 0)
    for after in graph.values():
        for b in after:
            into[b] += 1
    free = [a for a, n in into.items() if n == 0]
    while free:
        a = free.pop()
        del into[a]
        for b in graph[a]:
            into[b] -= 1
            if into[b] == 0:
                free.append(b)
    return into


def cycle_from(graph, start, among):
    """The shortest way from start back to it, or None."""
    came, front = {}, [start]
    while front:
        following = []
        for a in front:
            for b in graph[a]:
                if b == start:
                    way = [(a, b)]
                    while way[0][0] != start:
                        way.insert(0, (came[way[0][0]], way[0][0]))
                    return way
                if b in among and b not in came:
                    came[b] = a
                    following.append(b)
        front = following
    return None


def describe_cycle(graph):
    among = leftovers(graph)
    cycles = [c for c in (cycle_from(graph, a, among) for a in among if isinstance(a, Txn)) if c]
    if not cycles:
        return None
    return ", ".join("%s -%s-> %s" % (a, graph[a][b], b) for a, b in min(cycles, key=len))


def check_serialisable(txns, final):
    """`final`: by key, the elements read when everything was over. Raises Anomaly with what is wrong."""
    writers = writers_of(txns)
    orders = orders_of(txns, final)
    happened = check_elements(txns, writers, orders)
    graph = graph_of(happened, writers, orders)
    found = describe_cycle(graph) if leftovers(graph) else None
    require(found is None, "no order explains: %s", found)
    return len(happened)
