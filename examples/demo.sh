#!/usr/bin/env bash
# From a small model in f16 to the best mix of each size, by the programs that were built:
#
#   examples/demo.sh PROGRAMS OUT [--fresh]
#
# PROGRAMS is the folder they are in, OUT the one for what is made. The plans are made from losses
# that were measured before; with --fresh they are measured.
set -euo pipefail
programs=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
cd "$(dirname "$0")/.."

# What may be chosen from, and how large the mixes may be, in KiB.
quant_types=(q8_0 iq6_k q6_K iq5_k q5_K iq5_ks iq4_k q4_K iq4_ks iq4_kss iq3_k q3_K iq3_ks iq2_kl q2_K iq2_k iq2_ks)
mix_sizes=(960 1024 1152 1280 1408 1536 1792 2048 2304 2560)

say() { printf '\n== %s\n' "$*"; }

# failed: shows what the last program said, and ends.
failed() {
    cat "$out/log" >&2
    exit 1
}

models=tests/data/models
f16=$models/tinylm-f16.gguf
losses=tests/data/losses
types=$(IFS=,; printf '%s' "${quant_types[*]}")
rm -rf "$out/models" "$out/losses"
mkdir -p "$out/models"

say "the model"
"$programs/inspect" "$f16" --summary

if [[ $# == 3 ]]; then
    losses=$out/losses
    say "what is lost when its tensors are encoded, one by one and all at once"
    "$programs/sensitivity" "$f16" "$models/calibration.txt" --out "$losses" \
        --reference iq2_k --types "$types"
else
    say "what is lost when its tensors are encoded: measured before, in $losses (--fresh measures)"
fi
by_tensor=$losses/kld_results.csv
by_type=$losses/group0/kld_results.csv

say "the least that can be lost at each size, as planned (every plan has one of these at most 50 % worse)"
"$programs/plan" pareto "$by_tensor" --curve "$by_type" --model "$f16" \
    --pool "$types" --labels 0 --within 50 2>"$out/log" || failed

say "encoding: mixes of ${#mix_sizes[@]} sizes, and ${#quant_types[@]} types each for the whole model"
for size in "${mix_sizes[@]}"; do
    "$programs/quantize" "$f16" "$out/models/mix-${size}K.gguf" --plan "${size}KiB" --quants "$types" \
        --calibration "$by_tensor" --curve "$by_type" >"$out/log" 2>&1 || failed
done
for type in "${quant_types[@]}"; do
    "$programs/quantize" "$f16" "$out/models/$type.gguf" --type "$type" >"$out/log" 2>&1 || failed
done
mapfile -t files < <(ls -S "$out"/models/*.gguf)
printf '%s files in %s/models\n' "${#files[@]}" "$out"

say "measuring on another text, of $(wc -c <"$models/prose.txt") bytes: mix-N is planned to take N KiB"
"$programs/perplexity" "${files[@]}" "$models/prose.txt" --base "$f16" \
    --plot "$out/perplexity.svg" --plot-divergence "$out/divergence.svg"
printf 'pictures: %s/perplexity.svg, %s/divergence.svg\n' "$out" "$out"

say "what the mix of 1408 KiB writes"
"$programs/generate" "$out/models/mix-1408K.gguf" "The lighthouse " -n 200 --temperature 0.5 --seed 4
