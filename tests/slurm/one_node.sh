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
  munged --force --key-file="$dir/munge/key" --socket="$dir/munge/munge.socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/log/munge.log" --seed-file="$dir/munge/seed"
  sleep 1
  export SLURM_CONF="$dir/slurm.conf"
  slurmctld
  slurmd
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if sinfo --noheader --format=%t 2>/dev/null | grep -q idle; then break; fi
    sleep 1
  done
  sinfo
  ;;
stop)
  for pid in slurmd.pid slurmctld.pid munge/pid; do
    if [ -f "$dir/$pid" ]; then kill "$(cat "$dir/$pid")" || true; fi
  done
  ;;
*)
  echo "$0: wanted start DIR or stop DIR" >&2
  exit 2
  ;;
esac
