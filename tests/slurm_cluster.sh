#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A Slurm cluster of one node on this machine, for tests: slurm_cluster.sh start DIR | stop DIR
# Needs root and Debian's slurm-wlm and munge. `export SLURM_CONF=DIR/slurm.conf` afterwards. Without cgroups
# memory limits are not enforced. Everything it writes but munge's socket is in DIR.
set -euo pipefail
[ "$#" -eq 2 ] || { sed -n '3,5s/^# //p' "$0"; exit 2; }
action=$1
dir=$(realpath -m "$2")

ended() {  # wait for a process to end
    for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.1; done
    kill -9 "$1"
}

stop() {
    if [ -e "$dir/slurm.conf" ]; then
        SLURM_CONF=$dir/slurm.conf scancel --user=root 2>/dev/null || true
    fi
    for daemon in slurmd slurmctld munged; do
        [ -s "$dir/$daemon.pid" ] || continue
        pid=$(cat "$dir/$daemon.pid")
        kill "$pid" 2>/dev/null && ended "$pid"
        rm -f "$dir/$daemon.pid"
    done
}

start() {
    mkdir -p "$dir"/{state,spool,log}
    # A munged that is there already serves as well.
    if ! munge -n >/dev/null 2>&1; then
        install -d -o munge -g munge -m 755 /run/munge
        touch "$dir/munged.log" && chown munge: "$dir/munged.log"
        runuser -u munge -- /usr/sbin/munged --force
        cp /run/munge/munged.pid "$dir/munged.pid"
    fi
    host=$(hostname -s)
    cat >"$dir/slurm.conf" <<CONF
ClusterName=padflow
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${SLURM_TEST_PORT:-16817}
SlurmdPort=$((${SLURM_TEST_PORT:-16817} + 1))
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1
KillWait=5
MinJobAge=60
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=${SLURM_TEST_MEGABYTES:-12000} State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE OverSubscribe=FORCE:4 State=UP
CONF
    export SLURM_CONF=$dir/slurm.conf
    slurmctld
    slurmd
    for _ in $(seq 100); do
        [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] && return 0
        sleep 0.2
    done
    echo "Slurm did not come up; see $dir/log" >&2
    tail -n 20 "$dir"/log/*.log >&2 || true
    stop
    return 1
}

case $action in
    start) start ;;
    stop) stop ;;
    *) exit 2 ;;
esac
