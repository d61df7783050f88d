#!/bin/bash
# Starts a Slurm controller and a node on this machine, submits a job, has a shard join and go while it runs, and looks
# at its checkpoint.
set -u
source=$(dirname "$0")
tree=$PWD
for program in slurmctld slurmd sbatch; do
  if ! PATH=$PATH:/usr/sbin command -v $program >/dev/null; then
    echo "SKIPPED: no $program here"
    exit 0
  fi
done
if [ "$(id -u)" -ne 0 ]; then
  echo "SKIPPED: slurmd runs as root"
  exit 0
fi
PATH=$PATH:/usr/sbin
folder=$(mktemp -d)
mkdir "$folder/state" "$folder/spool" "$folder/bin"
cp -L "$tree"/deploy/cli/syncline "$tree"/server/syncline-ps "$tree"/server/coordinator/syncline-coordinator \
  "$tree"/worker/syncline-worker "$folder/bin/"
cp -L "$source"/*.sbatch "$source"/member "$folder/"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }
node=localhost
cat >"$folder/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$node
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
NodeName=$node NodeAddr=127.0.0.1 CPUs=16 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
END
export SLURM_CONF=$folder/slurm.conf SYNCLINE_BIN=$folder/bin SYNCLINE_SLURM=$folder
slurmctld -D -L "$folder/slurmctld.log" >/dev/null 2>&1 &
controller=$!
slurmd -D -N $node -L "$folder/slurmd.log" >/dev/null 2>&1 &
daemon=$!
finish() {
  scancel --user="$(id -un)" 2>/dev/null
  sleep 1
  kill -9 $daemon $controller 2>/dev/null
  rm -rf "$folder"
}
trap finish EXIT

fail() {
  echo "FAILED: $*"
  tail -n 20 "$folder"/*.log "$folder"/slurm-*.out
  exit 1
}
wait_for() { # SECONDS WHAT COMMAND...
  local left=$(($1 * 5)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $((left -= 1)) -gt 0 ] || fail "$what"
    sleep 0.2
  done
}
status() { "$folder/bin/syncline" status --json --coordinator="$1"; }
shards_are() { status "$1" | python3 -c "
import json, sys
status = json.load(sys.stdin)
sys.exit(len(status['map']['shards']) != $2 or status['rescale']['moving'])"; }

cat >"$folder/job.yaml" <<END
name: slurm
model:
  input: 1000
  layers:
    - linear: {units: 100}
    - linear: {units: 1}
  loss: mean_squared_error
data: {format: random_linear, samples: 20000}
batch_size: 20
epochs: 1000
shards: 2
workers: 2
replicas: 2
checkpoint: {directory: $folder/checkpoints}
END
cd "$folder" || exit 1
wait_for 30 "the node does not come up" sh -c 'sinfo -h -o %T | grep -q idle'
sbatch --ntasks=3 syncline.sbatch job.yaml >/dev/null || fail "sbatch"
wait_for 30 "too few tasks are not refused" grep -q "wants 5 tasks" slurm-1.out
sbatch --ntasks=5 syncline.sbatch job.yaml || fail "sbatch"
wait_for 30 "no coordinator" grep -q coordinator: slurm-2.out
coordinator=$(sed -n 's/coordinator: //p' slurm-2.out)
wait_for 30 "it does not train" shards_are "$coordinator" 2
sbatch --ntasks=1 members.sbatch ps "$coordinator" || fail "sbatch"
wait_for 30 "the third shard does not join" shards_are "$coordinator" 3
scancel --signal=INT 3.0
wait_for 30 "the third shard does not go" shards_are "$coordinator" 2
scancel --signal=INT 2.0 # the coordinator ends the job with a checkpoint
wait_for 60 "the job does not end" sh -c '! squeue -h | grep -q .'
"$folder/bin/syncline" verify --checkpoint="$folder/checkpoints" || fail "the checkpoint"
