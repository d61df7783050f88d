#ifndef SYNCLINE_COMMON_TENSOR_VECTORISE_H_
#define SYNCLINE_COMMON_TENSOR_VECTORISE_H_

// Compiles a loop three times, for x86-64-v2, AVX2 and AVX-512, and runs the one that suits this
// processor.
//
//   Vectorise([=]() SYNCLINE_INLINE {
//     for (size_t i = 0; i < n; ++i) y[i] = 2 * x[i];
//   });
//
// The body, and every function it calls, must be marked SYNCLINE_INLINE: inlined, they are compiled
// for the instruction set of the function around them. What runs is a copy of the body: what it
// captured stays in registers, while behind a reference it would be read anew after every store.
// Under SAME_BITS_COPTS (common/optimizer) no multiplication is fused with an addition, so all three
// give the same bits.

#define SYNCLINE_INLINE __attribute__((always_inline))

// Clang takes the vector width from the loop's cost; GCC keeps to 256 bits unless told.
#ifdef __clang__
#define SYNCLINE_AVX512 "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"
#else
#define SYNCLINE_AVX512 "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,prefer-vector-width=512"
#endif

namespace syncline {

enum class InstructionSet { kBase, kAvx2, kAvx512 };

// The best set of this processor that the operating system saves; never changes.
inline InstructionSet ThisInstructionSet() {
  static const InstructionSet set = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq")) {
      return InstructionSet::kAvx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      return InstructionSet::kAvx2;
    }
    return InstructionSet::kBase;
  }();
  return set;
}

template <typename Body>
__attribute__((target(SYNCLINE_AVX512), noinline)) void RunAvx512(const Body& body) {
  const Body own = body;
  own();
}

template <typename Body>
__attribute__((target("avx2,fma"), noinline)) void RunAvx2(const Body& body) {
  const Body own = body;
  own();
}

template <typename Body>
__attribute__((noinline)) void RunBase(const Body& body) {
  const Body own = body;
  own();
}

// Runs `body` as compiled for `set`, which this processor must have.
template <typename Body>
void VectoriseFor(InstructionSet set, const Body& body) {
  switch (set) {
    case InstructionSet::kAvx512:
      return RunAvx512(body);
    case InstructionSet::kAvx2:
      return RunAvx2(body);
    case InstructionSet::kBase:
      return RunBase(body);
  }
}

template <typename Body>
void Vectorise(const Body& body) {
  VectoriseFor(ThisInstructionSet(), body);
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TENSOR_VECTORISE_H_
