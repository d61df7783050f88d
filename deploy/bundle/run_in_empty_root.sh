#!/bin/bash
# Unpacks the bundle in a root that holds glibc and nothing else, and trains there.
set -u
bundle=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
if ! unshare --map-root-user --mount --pid --fork true 2>/dev/null; then
  echo "SKIPPED: no root of its own for a process here (unshare)"
  exit 0
fi
mkdir -p "$root"/{lib64,lib/x86_64-linux-gnu,dev/shm,proc,tmp,opt/elsewhere}
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
for name in libc.so.6 libm.so.6 libmvec.so.1 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2; do
  cp -L "/lib/x86_64-linux-gnu/$name" "$root/lib/x86_64-linux-gnu/"
done
tar -C "$root/opt/elsewhere" -xzf "$bundle" || exit 1
touch "$root"/dev/{null,urandom}

# shellcheck disable=SC2016
unshare --map-root-user --mount --pid --fork bash -c '
  set -e
  mount -t proc proc "$1/proc"
  mount -t tmpfs tmpfs "$1/dev/shm"
  for device in null urandom; do mount --bind "/dev/$device" "$1/dev/$device"; done
  cd /
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$1" /opt/elsewhere/syncline/bin/syncline local \
    -f /opt/elsewhere/syncline/deploy/examples/linear_regression.yaml --output=/tmp/out --shards=2 --replicas=2
' in_root "$root" >"$root/said" 2>&1
code=$?
cat "$root/said"
[ $code -eq 0 ] || { cat "$root"/tmp/out/logs/*.log; exit 1; }
grep -q '^checkpoint' "$root/said" || { echo "FAILED: it wrote no checkpoint"; exit 1; }
