#!/usr/bin/env bash
# Plans a batch, and submits an array job that measures it and a job that then merges:
#
#     examples/slurm/submit.sh CHECKPOINTS DIR SHARDS [option of `ei-fast batch plan` ...]
#
# Logs are written where it is called. Prints the numbers of both jobs.
set -euo pipefail
[ $# -ge 3 ] || {
  echo "usage: $0 CHECKPOINTS DIR SHARDS [option of ei-fast batch plan ...]" >&2
  exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
checkpoints=$1 dir=$2 shards=$3
shift 3

ei-fast batch plan "$checkpoints" --out "$dir" --shards "$shards" "$@" >&2
array=$(sbatch --parsable --array="0-$((shards - 1))" "$here/array.sbatch" "$dir")

# afterany: when all tasks have ended, however they did. `merge` looks for itself: where a checkpoint could not be
# measured (its task exits with 3) it writes nothing, says which one and why in its log, and exits with 3.
# With afterok one damaged checkpoint of ten thousand would keep it from being started, and nothing would say why: the job
# would be cancelled (with --kill-on-invalid-dep=yes), or wait for ever (without). A task that is queued again has not ended.
merge=$(sbatch --parsable --dependency="afterany:$array" "$here/merge.sbatch" "$dir")
echo "$array $merge"
