/* A chunk on a primary, with a copy on a backup, in async mode: two workers push twice each, and up to two faults
 * happen: the primary dies, or is only silent and wakes up; a worker repeats what was not acknowledged in time. Every
 * acknowledged push counts once, the others once or not at all.
 *
 * Guards that can be left out, each with a -D of its own:
 *   ACK_EARLY   the primary acknowledges before the backup has it
 *   NO_DEDUPE   the copy has the weights without what was applied of whom
 */
#define PUSHES 2

typedef Copy {
  byte weight;
  byte last[2]  /* by worker: the highest sequence number applied */
}
Copy copy[2];   /* of shard 0 and shard 1 */

byte primary = 0;      /* as the coordinator decided */
bool dead[2];          /* shards */
bool alone[2];         /* a shard that knows it took over: no backup is left */
chan replicate = [2] of { byte, byte };         /* shard 0 to shard 1: worker, sequence */
chan replicated = [2] of { byte, byte };        /* what shard 1 has taken */
chan request[2] = [1] of { byte, byte };        /* to a shard: worker, sequence */
byte acked[2];         /* by worker: the highest sequence number acknowledged */
byte sent[2];
byte faults = 0;

proctype Worker(byte w) {
  byte sequence = 1;
  do
  :: sequence > PUSHES -> break
  :: sequence <= PUSHES ->
       sent[w] = sequence;
       /* To whom it takes for the primary, as often as it likes until it is acknowledged. */
       do
       :: acked[w] >= sequence -> break
       :: atomic { acked[w] < sequence && nfull(request[primary]) -> request[primary] ! w, sequence }
       :: atomic { acked[w] < sequence && !dead[0] && nfull(request[0]) -> request[0] ! w, sequence }  /* by an old map */
       od;
       sequence++
  od
}

inline Apply(s, w, n) {
  if
  :: n > copy[s].last[w] -> copy[s].weight++; copy[s].last[w] = n
  :: else -> skip  /* it was applied before */
  fi
}

/* Shard 0 begins as the primary. */
active proctype First() {
  byte w, n;
end:
  do
  :: atomic { !dead[0] && nfull(replicate) && nempty(request[0]) -> request[0] ? w, n;
       Apply(0, w, n);
       replicate ! w, n;
#ifdef ACK_EARLY
       if :: acked[w] < n -> acked[w] = n :: else -> skip fi
#endif
     }
  :: atomic { !dead[0] && nempty(replicated) -> replicated ? w, n;
       if :: acked[w] < n -> acked[w] = n :: else -> skip fi }
  :: atomic { dead[0] -> break }
  od
}

/* Shard 1 begins as the backup. */
active proctype Second() {
  byte w, n;
end:
  do
  :: atomic { nfull(replicated) && nempty(replicate) -> replicate ? w, n;
       if
       :: !alone[1] ->
            if
#ifdef NO_DEDUPE
            :: copy[1].weight++
#else
            :: n > copy[1].last[w] -> copy[1].weight++; copy[1].last[w] = n
            :: else -> skip
#endif
            fi;
            replicated ! w, n
       :: else -> skip  /* of an old epoch: refused, and the sender acknowledges nothing */
       fi
     }
  :: atomic { alone[1] && nempty(request[1]) -> request[1] ? w, n;
       Apply(1, w, n);
       if :: acked[w] < n -> acked[w] = n :: else -> skip fi }
  od
}

active proctype Coordinator() {
  run Worker(0);
  run Worker(1);
  if
  :: atomic { faults++; dead[0] = true; primary = 1 }   /* it died */
  :: atomic { faults++; primary = 1 }                   /* it is silent; the second fault may be its death */
  :: goto end
  fi;
  alone[1] = true;
  if
  :: atomic { !dead[0] -> dead[0] = true; faults++ }
  :: skip
  fi;
end:
  skip
}

/* When all is acknowledged, the weights of whoever is the primary say so. */
active proctype Check() {
  acked[0] == PUSHES && acked[1] == PUSHES && (primary == 0 || alone[1]);
  atomic {
    if
    :: primary == 1 -> assert(copy[1].weight == 2 * PUSHES)
    :: else -> assert(copy[0].weight == 2 * PUSHES)
    fi
  }
}
