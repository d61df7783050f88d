/* A chunk moves from shard 0 to shard 1 in async mode, while two workers push twice each and repeat what they have no
 * answer to. Up to two faults happen to coordinators: one dies, or is only silent and goes on with what it was about
 * to say; the next one begins where the log ends. Every acknowledged push counts once, and the chunk gets there.
 *
 * Guards that can be left out, each with a -D of its own:
 *   NO_EPOCH       who gave the chunk away still takes pushes by the old map
 *   NO_RECORD      the chunk moves without what was applied of whom
 *   UNDECIDED      shards are told to go through with it before that is in the log
 *   NO_GENERATION  shards obey a coordinator that another one has followed
 *   NO_ORDER       shards obey a call that comes after those which its sender has made since
 */
#define PUSHES 2
#define COORDINATORS 3

typedef Shard {
  byte generation;  /* the highest it has heard of */
  bool again;       /* that one has prepared it a second time */
  bool prepared;
  bool changed;     /* it goes by the new map */
  bool holds;       /* the chunk */
  byte weight;
  byte last[2]      /* by worker: the highest sequence number applied */
}
Shard shard[2];

byte leads = 0;             /* whose log it is: the highest generation that has opened it */
bool decided = false;       /* in the log */
bool sent = false;          /* the chunk is on its way, with: */
byte sent_weight;
byte sent_last[2];
byte late[2];               /* by shard: the generation whose CANCEL, given up, is on its way yet */
bool newer[2];              /* by worker: it has the new map */
byte acked[2];

proctype Worker(byte w) {
  byte n = 1;
end_waits:
  do
  :: atomic { n <= PUSHES && !newer[w] ->
       if
#ifdef NO_EPOCH
       :: true ->
#else
       :: !shard[0].changed ->
#endif
            if
            :: n > shard[0].last[w] -> shard[0].weight++; shard[0].last[w] = n
            :: else -> skip
            fi;
            if
            :: acked[w] = n; n++
            :: skip  /* the answer is lost */
            fi
       :: shard[0].changed -> newer[w] = true  /* refused: it fetches the map */
       fi }
  :: atomic { n <= PUSHES && newer[w] && shard[1].changed && shard[1].holds ->
       if
       :: n > shard[1].last[w] -> shard[1].weight++; shard[1].last[w] = n
       :: else -> skip
       fi;
       if
       :: acked[w] = n; n++
       :: skip
       fi }
  :: n > PUSHES -> break
  od
}

#ifdef NO_GENERATION
#define OBEYS(s, g) true
#else
#define OBEYS(s, g) (shard[s].generation <= g)
#endif

inline Prepare(s, g) {
  atomic {
    if
    :: OBEYS(s, g) && !shard[s].changed -> shard[s].generation = g; shard[s].prepared = true; shard[s].again = second
    :: OBEYS(s, g) && shard[s].changed -> goto end_refused
    :: !OBEYS(s, g) -> goto end_refused
    fi
  }
}

inline Cancel(s, g) {
  atomic {
    if
    :: OBEYS(s, g) -> shard[s].generation = g;
         if :: !shard[s].changed -> shard[s].prepared = false :: else -> skip fi
    :: !OBEYS(s, g) -> goto end_refused
    fi
  }
}

inline Confirm(s, g) {
  atomic {
    if
    :: OBEYS(s, g) ->
         assert(shard[s].prepared);
         shard[s].generation = g;
         if
         :: s == 0 && !shard[0].changed ->
              sent_weight = shard[0].weight;
#ifndef NO_RECORD
              sent_last[0] = shard[0].last[0]; sent_last[1] = shard[0].last[1];
#endif
              shard[0].holds = false; sent = true
         :: else -> skip
         fi;
         shard[s].changed = true
    :: !OBEYS(s, g) -> goto end_refused
    fi
  }
}

/* The chunk arrives, and so does what was given up. */
#define LATE(s) \
  :: atomic { late[s] > 0 -> \
       if \
       :: OBEYS(s, late[s]) && IN_ORDER(s) && !shard[s].changed -> shard[s].prepared = false \
       :: else -> skip \
       fi; \
       late[s] = 0 }

#ifdef NO_ORDER
#define IN_ORDER(s) true
#else
#define IN_ORDER(s) !(shard[s].generation == late[s] && shard[s].again)
#endif

active proctype Network() {
end:
  do
  :: atomic { sent -> sent = false; shard[1].weight = sent_weight; shard[1].last[0] = sent_last[0];
       shard[1].last[1] = sent_last[1]; shard[1].holds = true }
  LATE(0) LATE(1)
  od
}

/* `goes_on`: the log that it opened says that the change is decided on. At any moment the next one opens it, and this
 * one is dead or does not know. */
proctype Coordinator(byte g; bool goes_on) {
  bool second = false;
  if
  :: !goes_on ->
       Cancel(0, g);
       Cancel(1, g);
       if
       :: skip
       :: Prepare(0, g);          /* the other one does not answer, so this is taken back */
          late[0] = g
       fi;
       second = true;
       Prepare(0, g);
       Prepare(1, g);
#ifdef UNDECIDED
       Confirm(0, g);
#endif
       /* The log is only its writer's. */
       if
       :: atomic { leads == g -> decided = true }
       :: leads != g -> goto end_refused
       fi
  :: goes_on -> skip
  fi;
  Confirm(0, g);
  Confirm(1, g);
end_refused:
  skip
}

active proctype Faults() {
  byte g = 1;
  atomic { shard[0].holds = true; run Worker(0); run Worker(1); leads = 1; run Coordinator(1, false) }
end:
  do
  :: atomic { g < COORDINATORS -> g++; leads = g; run Coordinator(g, decided) }
  :: break
  od
}

/* Nothing can move any more. */
active proctype Watch() {
end:
  timeout ->
    assert(acked[0] == PUSHES && acked[1] == PUSHES);
    assert(shard[1].holds && !shard[0].holds && shard[1].weight == 2 * PUSHES)
}
