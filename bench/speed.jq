# Results of bench_kernels as rows for speed.gp, tabs between the columns: the type; then for
# dequantize, gemv and gemm the speed and what the machine's limits would allow. Speeds are in
# Gweights/s, for gemm in Gop/s, the best of a case's repetitions; a missing one is 0.
[
    .benchmarks[]
    | select((.run_type // "iteration") == "iteration")
    | (.name | split("/")) as [$op, $type]
    | {$op, $type, speed: (if $op == "gemm" then .["Gop/s"] else .["weights/s"] * 1e-9 end), share}
] as $all
| reduce $all[].type as $type ([]; if index($type) then . else . + [$type] end)
| .[]
| . as $type
| [
    $type,
    (
        "dequantize", "gemv", "gemm"
        | . as $op
        | ([$all[] | select(.op == $op and .type == $type)] | max_by(.speed)) // {}
        | (.speed // 0), (if .share then .speed / .share else 0 end)
    )
]
| @tsv
