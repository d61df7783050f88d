/* One step in sync mode: two workers, two shards, and up to two faults: a worker is given up, because it died (it does
 * nothing any more) or although it lives (it goes on). A lost worker's part counts on every shard or on none
 * (docs/policies.md); if on none, its rank's next incarnation makes it again. Messages arrive in any order, and long
 * after their sender was given up.
 *
 * Guards that can be left out, each with a -D of its own:
 *   NO_FENCE   a shard takes what a given-up incarnation sends, until it is told what counts
 *   NO_ACKS    a worker commits before its pushes are acknowledged
 */
#define INCARNATIONS 3
#define AT(w, i) ((w) * INCARNATIONS + (i))

typedef Shard {
  bool pushed[6];    /* by worker and incarnation */
  bool committed[6];
  bool fenced[6];
  byte made[2];      /* by worker: 1 + the incarnation whose part is in the step */
  bool applied
}
Shard shard[2];

byte incarnation[2];           /* the newest of a rank */
bool push[12], commit[12];     /* on their way, by worker, incarnation and shard */
bool acked[12];                /* pushes */
byte faults = 0;

inline Push(w, i) { d_step { push[AT(w, i) * 2] = true; push[AT(w, i) * 2 + 1] = true } }
inline Commit(w, i) { d_step { commit[AT(w, i) * 2] = true; commit[AT(w, i) * 2 + 1] = true } }

proctype Worker(byte w; byte i) {
  Push(w, i);
end_waits:  /* for ever, if it was given up */
#ifndef NO_ACKS
  acked[AT(w, i) * 2] && acked[AT(w, i) * 2 + 1];
#endif
  Commit(w, i)
}

/* What shard s does with a message of an incarnation. */
#define TAKE_PUSH(at) \
  :: atomic { push[(at) * 2 + s] -> \
       push[(at) * 2 + s] = false; \
       if \
       :: !shard[s].fenced[at] && !shard[s].applied -> shard[s].pushed[at] = true; acked[(at) * 2 + s] = true \
       :: else -> skip \
       fi }
#define TAKE_COMMIT(at) \
  :: atomic { commit[(at) * 2 + s] -> \
       commit[(at) * 2 + s] = false; \
       if \
       :: !shard[s].fenced[at] && !shard[s].applied && shard[s].made[(at) / INCARNATIONS] == 0 -> \
            assert(shard[s].pushed[at]); \
            shard[s].committed[at] = true; \
            shard[s].made[(at) / INCARNATIONS] = 1 + (at) % INCARNATIONS \
       :: else -> skip \
       fi }

proctype Serve(byte s) {
end:
  do
  TAKE_PUSH(0) TAKE_PUSH(1) TAKE_PUSH(2) TAKE_PUSH(3) TAKE_PUSH(4) TAKE_PUSH(5)
  TAKE_COMMIT(0) TAKE_COMMIT(1) TAKE_COMMIT(2) TAKE_COMMIT(3) TAKE_COMMIT(4) TAKE_COMMIT(5)
  :: atomic { !shard[s].applied && shard[s].made[0] && shard[s].made[1] -> shard[s].applied = true }
  :: shard[0].applied && shard[1].applied -> break
  od
}

active proctype Coordinator() {
  byte w, i, s, seen;
  run Worker(0, 0);
  run Worker(1, 0);
  run Serve(0);
  run Serve(1);
end:
  do
  :: faults < 2 && !(shard[0].applied && shard[1].applied) ->
       atomic { faults++; select(w : 0 .. 1); i = incarnation[w] }
       /* Finds out how far it got on any shard. */
       seen = 0;
       for (s : 0 .. 1) {
         atomic {
#ifndef NO_FENCE
           shard[s].fenced[AT(w, i)] = true;
#endif
           if
           :: shard[s].committed[AT(w, i)] -> seen = 1
           :: else -> skip
           fi
         }
       }
       /* Makes that count on all of them. */
       for (s : 0 .. 1) {
         atomic {
           shard[s].fenced[AT(w, i)] = true;
           if
           :: seen && shard[s].made[w] == 0 ->
                assert(shard[s].pushed[AT(w, i)]);
                shard[s].made[w] = 1 + i
           :: else -> skip
           fi
         }
       }
       if
       :: seen -> skip                                   /* nothing is left for it to do in this step */
       :: !seen -> incarnation[w] = i + 1; run Worker(w, i + 1)
       fi
  :: shard[0].applied && shard[1].applied -> break
  od;
  /* No torn step: the same parts on both shards, one of each rank. */
  assert(shard[0].made[0] == shard[1].made[0] && shard[0].made[1] == shard[1].made[1])
}

/* Nothing can move any more: the step was made. */
active proctype Watch() {
end:
  timeout -> assert(shard[0].applied && shard[1].applied)
}
