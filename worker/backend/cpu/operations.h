#ifndef SYNCLINE_WORKER_BACKEND_CPU_OPERATIONS_H_
#define SYNCLINE_WORKER_BACKEND_CPU_OPERATIONS_H_

// Each family of operations has one file, which fills its fields of the table. The contracts are in
// worker/backend/backend.h.

#include "worker/backend/backend.h"

namespace syncline {

void AddGemm(Backend* table);         // gemm.cc
void AddActivations(Backend* table);  // activation.cc: bias_activation, activation_backward, add
void AddColumnSum(Backend* table);    // column_sum.cc
void AddDropout(Backend* table);      // dropout.cc
void AddLayerNorm(Backend* table);    // layer_norm.cc
void AddLosses(Backend* table);       // loss.cc: the losses and the counts of correct rows
void AddGathers(Backend* table);      // gather.cc
void AddEmbedding(Backend* table);    // embedding.cc: embed, embed_backward
void AddAttention(Backend* table);    // attention.cc
void AddLookUp(Backend* table);       // look_up.cc: look_up, look_up_backward
void AddVectors(Backend* table);      // vectors.cc: vector_sum, factorization, interaction, copy_columns

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CPU_OPERATIONS_H_
