#!/bin/bash
# Packs programs with every library they need but glibc's, and files beside them, so that they run wherever they
# are unpacked:
#
#   pack.sh OUT.tar.gz PROGRAM... -- FILE...
set -euo pipefail
out=$(realpath "$1")
shift
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/syncline/bin" "$stage/syncline/lib"

programs=()
while [ "$1" != -- ]; do
  programs+=("$1")
  shift
done
shift

# What a program opens by name while it runs.
openblas=$(/sbin/ldconfig -p | awk '/libopenblas\.so\.0 / && /x86-64/ && !found {print $NF; found = 1}')
[ -n "$openblas" ] || { echo "pack.sh: there is no libopenblas.so.0 here: apt-get install libopenblas-dev" >&2; exit 1; }
cp -L "$openblas" "$stage/syncline/lib/libopenblas.so.0"

glibc='^(ld-linux-x86-64|libc|libm|libmvec|libpthread|libdl|librt|libresolv|libutil|libanl|libnss_[a-z]+)\.so'
ldd "${programs[@]}" "$openblas" | awk '$2 == "=>" {print $1, $3}' | sort -u | while read -r name path; do
  if [ "$path" = not ]; then
    echo "pack.sh: $name is needed and not here" >&2
    exit 1
  fi
  [[ $name =~ $glibc ]] || cp -L "$path" "$stage/syncline/lib/$name"
done
cp -L "${programs[@]}" "$stage/syncline/bin/"
for file in "$@"; do
  mkdir -p "$stage/syncline/$(dirname "$file")"
  cp -L "$file" "$stage/syncline/$file"
done
chmod -R u+w,a+rX "$stage/syncline"
tar -C "$stage" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - syncline | gzip -n >"$out"
