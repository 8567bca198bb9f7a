#!/usr/bin/env bash
# A real Slurm of one node, for tests, as root:
#
#     apt-get install slurm-wlm munge
#     tests/slurm/one_node.sh start DIR; export SLURM_CONF=DIR/slurm.conf
#     sbatch --wrap 'srun hostname'; squeue
#     tests/slurm/one_node.sh stop DIR
#
# Its ports are 16817 and 16818 on loopback; what it writes is below DIR. Arrays have at most 8 tasks, so that a study of
# a few cells needs several. A task that is requeued waits as long as its credential is good: a few seconds here, two
# minutes where nothing is said.
set -euo pipefail
verb=$1
dir=$(realpath -m "$2")
export SLURM_CONF="$dir/slurm.conf"

# Ends one of the daemons by its file, and waits until it has ended: by force where it does not by itself.
end() {
  local name=$1 pid
  pid=$(cat "$2" 2>/dev/null) || return 0
  is_there() { [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$name" ]; }
  for signal in TERM KILL; do
    if is_there; then kill -s "$signal" "$pid" || true; fi
    for _ in $(seq 50); do
      if ! is_there; then return 0; fi
      sleep 0.2
    done
  done
  echo "$0: $name ($pid) does not end" >&2
  return 1
}

stop() {
  local jobs
  # Before the daemons, since tasks outlive them.
  jobs=$(squeue --noheader --format=%A 2>/dev/null | sort -u) || true
  if [ -n "$jobs" ]; then scancel $jobs || true; fi
  for _ in $(seq 50); do
    if [ -z "$(squeue --noheader 2>/dev/null)" ]; then break; fi
    sleep 0.2
  done
  end slurmd "$dir/slurmd.pid"
  end slurmctld "$dir/slurmctld.pid"
  end munged "$dir/munge/pid"
}

case $verb in
start)
  mkdir -p "$dir"/state "$dir"/spool "$dir"/log "$dir"/munge
  host=$(hostname -s)
  cat >"$dir/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$dir/munge/munge.socket,cred_expire=10
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
MaxArraySize=8
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  if [ ! -f "$dir/munge/key" ]; then
    head -c 1024 /dev/urandom >"$dir/munge/key"
    chmod 400 "$dir/munge/key"
  fi
  chmod 755 "$dir" "$dir/munge"
  trap stop ERR
  munged --force --key-file="$dir/munge/key" --socket="$dir/munge/munge.socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/log/munge.log" --seed-file="$dir/munge/seed"
  sleep 1
  slurmctld
  slurmd
  for _ in $(seq 20); do
    if sinfo --noheader --format=%t 2>/dev/null | grep -q idle; then break; fi
    sleep 0.5
  done
  sinfo
  # It fails where no node is ready.
  sinfo --noheader --format=%t | grep -q idle
  ;;
stop)
  stop
  ;;
*)
  echo "$0: wanted start DIR or stop DIR" >&2
  exit 2
  ;;
esac
