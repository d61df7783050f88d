"""Options of code whose floats must not depend on the processor."""

# No multiplication is fused with an addition, so that every instruction set gives the same bits.
SAME_BITS_COPTS = [
    "-fopenmp-simd",
    "-ffp-contract=off",
    "-fno-math-errno",
    # Under sanitizers clang does not vectorise what `omp simd` asks it to.
    "-Wno-pass-failed",
]
