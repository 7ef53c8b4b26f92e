#!/bin/sh
# Instructions per 20 ms call of each conversion, by callgrind: two runs of different length, subtracted.
# Valgrind knows AVX2 but not AVX-512, so these are the AVX2 kernels.
set -eu
cd "$(dirname "$0")/.."
program=$(cargo bench --bench instructions --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[ -x "$program" ] || { echo "count_instructions.sh: the benchmark was not built" >&2; exit 1; }
counted=$(mktemp -d)
trap 'rm -rf "$counted"' EXIT

instructions() { # conversion, calls
    valgrind --tool=callgrind --callgrind-out-file="$counted/$1-$2" "$program" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : //p'
}

for conversion in 48k-stereo-24k 48k-mono-16k 48k-stereo-8k-ulaw 44.1k-mono-24k 16k-mono-24k; do
    few=$(instructions "$conversion" 100)
    many=$(instructions "$conversion" 1100)
    echo "$conversion $(((many - few) / 1000)) instructions a call"
done
