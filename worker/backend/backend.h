#ifndef SYNCLINE_WORKER_BACKEND_BACKEND_H_
#define SYNCLINE_WORKER_BACKEND_BACKEND_H_

// What a worker computes with, as a versioned table of plain functions.
//
// Plain C types only and no library beyond C's, so that nvcc alone builds the CUDA side, a shared
// library that is loaded at run time (worker/backend/loader.h). worker/model wraps the table for
// everyone else (worker/model/device.h); only that, tests and benchmarks call it directly.
//
// Shapes. Matrices are row-major, tight, float32. Sizes are element counts unless named `bytes`.
// A size of 0 is allowed and does nothing. Outputs never overlap inputs unless a function says so.
//
// Ownership. The caller owns all memory it allocates through the table. Memory named `device`
// pointers below comes from `allocate` of the same device; where `host_memory` is set it may be any
// memory of this process. Everything must be released before its device is closed.
//
// Order. Work on one device is submitted to one of its streams and may return before it is done.
// Work on one stream runs in order; between streams only events order it. Operations run on
// kComputeStream. A backend with `host_memory` finishes everything before it returns.
//
// Threads. A device is used by one thread at a time. Different devices, also of one backend, may be
// used by different threads at once.
//
// Errors. Every function that returns int returns 0, or a positive code (BackendCode); last_error()
// then holds a sentence about it. After kBackendFailed of a device, only close it.

#include <stddef.h>
#include <stdint.h>

#include "worker/backend/groups.h"

namespace syncline {

// Raised whenever a field of the table changes place or meaning.
constexpr uint32_t kBackendVersion = 7;

enum BackendCode {
  kBackendOk = 0,
  kBackendInvalid = 1,      // an argument makes no sense; nothing was done
  kBackendOutOfMemory = 2,  // nothing was allocated
  kBackendFailed = 3,       // the device or its library failed
  kBackendGroupFailed = 4,  // a group of devices failed, and not the device
};

enum BackendStream {
  kComputeStream = 0,
  kUploadStream = 1,
  kDownloadStream = 2,
  kGroupStream = 3,  // sums and copies among devices
};

enum BackendActivation {
  kIdentity = 0,
  kRelu = 1,
  kGelu = 2,  // tanh approximation (Hendrycks and Gimpel 2016)
  kTanh = 3,
  kSigmoid = 4,
};

struct BackendOptions {
  int ordinal;     // which device, from 0; the CPU is device 0
  int threads;     // CPU: threads in a product, at least 1. OpenBLAS has one count per process:
                   // the device opened last decides
  int allow_tf32;  // CUDA: products may round their inputs to TF32 (10-bit mantissa)
  int allow_bf16;  // CUDA: to bfloat16 (7-bit mantissa); sums and results stay float32. Not with
                   // allow_tf32: kBackendInvalid
};

struct BackendDevice;  // one device and its streams
struct BackendEvent;   // a point in a stream

struct Backend {
  uint32_t version;  // kBackendVersion; always the first field
  uint32_t size;     // sizeof(Backend)
  const char* name;  // "cpu" or "cuda"
  int host_memory;   // 1: device memory is host memory and every call is synchronous

  // What went wrong in the latest failed call of this thread. Never null.
  const char* (*last_error)(void);

  // --- devices ---

  int (*device_count)(int* count);
  int (*open_device)(const BackendOptions* options, BackendDevice** device);
  void (*close_device)(BackendDevice* device);
  // A line for logs, e.g. "NVIDIA H200, 139 GiB" or "OpenBLAS SkylakeX, 1 thread, AVX-512".
  int (*describe)(BackendDevice* device, char* text, size_t size);

  // --- memory ---

  // Device memory, zero-filled, aligned to at least 64 bytes.
  int (*allocate)(BackendDevice* device, size_t bytes, void** memory);
  void (*release)(BackendDevice* device, void* memory);
  // Host memory that copies to and from the device at full speed (pinned), zero-filled, aligned
  // alike. Plain memory may be copied too, but then the call may wait for the copy.
  int (*allocate_host)(BackendDevice* device, size_t bytes, void** memory);
  void (*release_host)(BackendDevice* device, void* memory);
  // Makes host memory that somebody else allocated as good as that of allocate_host, until unpin_host,
  // which must come before the memory goes.
  int (*pin_host)(BackendDevice* device, void* memory, size_t bytes);
  void (*unpin_host)(BackendDevice* device, void* memory);
  // Either side may be host or device memory. Neither may be touched until the copy is done.
  int (*copy)(BackendDevice* device, int stream, void* to, const void* from, size_t bytes);

  // --- order and completion ---

  int (*create_event)(BackendDevice* device, BackendEvent** event);
  void (*destroy_event)(BackendDevice* device, BackendEvent* event);
  // Moves the event to the end of what has been submitted to `stream`.
  int (*record_event)(BackendDevice* device, BackendEvent* event, int stream);
  // Whether the stream has got there. An event never recorded is done.
  int (*query_event)(BackendDevice* device, BackendEvent* event, int* done);
  // Blocks the calling thread until it has.
  int (*wait_event)(BackendDevice* device, BackendEvent* event);
  // Makes what is submitted to `stream` from now on wait until it has.
  int (*stream_wait_event)(BackendDevice* device, int stream, BackendEvent* event);
  // Blocks until all streams are empty.
  int (*synchronize)(BackendDevice* device);

  // --- products ---

  // C[m,n] = alpha op(A) op(B) + beta C, where op(A) is [m,k] and op(B) [k,n]; with transpose_a, A
  // is stored as [k,m], with transpose_b, B as [n,k]. With beta 0, C is not read.
  int (*gemm)(BackendDevice* device, int transpose_a, int transpose_b, int m, int n, int k,
              float alpha, const float* a, const float* b, float beta, float* c);

  // --- columns and activations ---

  // For x[rows,cols]: x += bias (a row; null: none), then y = activation(x). y may be x, which is
  // then overwritten. With kIdentity and y == x this is the plain addition of a bias.
  int (*bias_activation)(BackendDevice* device, int activation, int rows, int cols,
                         const float* bias, float* x, float* y);
  // dx = dy * activation'. relu, tanh and sigmoid read the output y, gelu reads the input x; the
  // other may be null. dx may be dy.
  int (*activation_backward)(BackendDevice* device, int activation, size_t n, const float* x,
                             const float* y, const float* dy, float* dx);
  // sum[c] = sum over r of x[r,c], plus what sum[c] was if `add`: the gradient of a bias.
  int (*column_sum)(BackendDevice* device, int rows, int cols, int add, const float* x, float* sum);

  // y += x.
  int (*add)(BackendDevice* device, size_t n, const float* x, float* y);

  // --- tokens: whole numbers in [0, vocabulary), as floats; one outside makes its row NaN and no gradient ---

  // y[r,t,:] = table[tokens[r,t],:] + position_table[t,:], all of `width` columns.
  int (*embed)(BackendDevice* device, int rows, int positions, int width, int vocabulary,
               const float* tokens, const float* table, const float* position_table, float* y);
  // Gradients of the two tables, overwritten, or added to if `add`.
  int (*embed_backward)(BackendDevice* device, int rows, int positions, int width, int vocabulary,
                        int add, const float* tokens, const float* dy, float* dtable,
                        float* dposition_table);

  // --- causal self-attention (Vaswani et al. 2017): a position sees those up to itself ---

  // qkv[r,t,:] are the queries, keys and values of a position, each of `width` columns, which the heads share
  // out evenly. weights[r,h,t,s] = softmax over s <= t of q k^T / sqrt(width / heads), 0 for s > t, is kept for
  // backward; y[r,t,:] is the sum over s of weights times values.
  int (*attention)(BackendDevice* device, int rows, int positions, int heads, int width,
                   const float* qkv, float* weights, float* y);
  // `scratch` is as large as `weights`.
  int (*attention_backward)(BackendDevice* device, int rows, int positions, int heads, int width,
                            const float* qkv, const float* weights, const float* dy,
                            float* scratch, float* dqkv);

  // --- dropout ---

  // y[i] = 0 with probability `rate` in [0, 1), else x[i] / (1 - rate). Element i is decided by
  // (seed, offset + i) alone, the same on every backend (worker/backend/counter_random.h). The same
  // function is its own backward: pass dy as x and dx as y. y may be x.
  int (*dropout)(BackendDevice* device, size_t n, float rate, uint64_t seed, uint64_t offset,
                 const float* x, float* y);

  // --- layer normalisation (Ba et al. 2016) ---

  // y = (x - mean) * rstd * gamma + beta for each row of x[rows,cols], with the biased variance and
  // rstd = 1 / sqrt(variance + epsilon). mean[rows] and rstd[rows] are kept for backward.
  int (*layer_norm)(BackendDevice* device, int rows, int cols, float epsilon, const float* x,
                    const float* gamma, const float* beta, float* y, float* mean, float* rstd);
  // Gradients of the above; dgamma[cols] and dbeta[cols] are overwritten, or added to if `add`.
  // dx may be null or dy.
  int (*layer_norm_backward)(BackendDevice* device, int rows, int cols, int add, const float* x,
                             const float* gamma, const float* mean, const float* rstd,
                             const float* dy, float* dx, float* dgamma, float* dbeta);

  // --- losses: each writes the sum over rows to *loss_sum (device memory) and, unless `gradient`
  // is null, scale * d(loss_sum)/d(input) ---

  // Per row -log softmax(logits)[label]. A label outside [0, classes) makes the loss and its row of
  // the gradient NaN.
  int (*softmax_cross_entropy)(BackendDevice* device, int rows, int classes, const float* logits,
                               const int32_t* labels, float scale, float* loss_sum,
                               float* gradient);
  // Per row the mean over cols of (y - target)^2.
  int (*mean_squared_error)(BackendDevice* device, int rows, int cols, const float* y,
                            const float* target, float scale, float* loss_sum, float* gradient);
  // Per row -log sigmoid(logit) if target is 1, -log(1 - sigmoid(logit)) if it is 0.
  int (*logistic_loss)(BackendDevice* device, int rows, const float* logits, const float* target,
                       float scale, float* loss_sum, float* gradient);

  // --- accuracy: *correct in device memory ---

  // Rows whose largest logit (the first of equals) is at the label.
  int (*count_correct)(BackendDevice* device, int rows, int classes, const float* logits,
                       const int32_t* labels, int32_t* correct);
  // Rows where (logit > 0) is (target > 0.5).
  int (*count_correct_logistic)(BackendDevice* device, int rows, const float* logits,
                                const float* target, int32_t* correct);

  // --- batches: picks rows of a table [*,cols] in device memory. `indices`, also there, are not
  // checked ---

  // out[r,c] = (source[indices[r],c] / 255 - mean) / std.
  int (*gather_uint8)(BackendDevice* device, int rows, int cols, const uint8_t* source,
                      const int64_t* indices, float mean, float std, float* out);
  // out[r,c] = (source[indices[r],c] - mean) / std.
  int (*gather_float)(BackendDevice* device, int rows, int cols, const float* source,
                      const int64_t* indices, float mean, float std, float* out);
  // out[r] = source[indices[r]].
  int (*gather_int32)(BackendDevice* device, int rows, const int32_t* source,
                      const int64_t* indices, int32_t* out);

  // --- rows of a table[*,dim] by number, for each of `fields` of a sample ---

  // y[r, f*dim ..] = table[index[r,f],:], or pooled y[r, 0 ..] = scale * the sum of that over f. An index of -1 stands
  // for zeros; others are not checked. Rows of y are `stride` floats apart.
  int (*look_up)(BackendDevice* device, int rows, int fields, int dim, int pooled, float scale,
                 const int32_t* index, const float* table, size_t stride, float* y);
  // The gradient of the table's first `used` rows, overwritten, or added to if `add`. Row u was looked up at
  // places[starts[u]] up to, but not, places[starts[u+1]], each r * fields + f, and is summed in that order.
  int (*look_up_backward)(BackendDevice* device, int used, int fields, int dim, int pooled, float scale, int add,
                          const int32_t* starts, const int32_t* places, size_t stride, const float* dy,
                          float* dtable);

  // --- vectors that lie side by side: x[rows,vectors,dim] ---

  // y[r,:] = the sum over v of x[r,v,:].
  int (*vector_sum)(BackendDevice* device, int rows, int vectors, int dim, const float* x, float* y);
  // dx[r,v,:] = dy[r,:].
  int (*vector_sum_backward)(BackendDevice* device, int rows, int vectors, int dim, const float* dy, float* dx);
  // y[r] = the sum over w < v of x[r,v,:] . x[r,w,:] (Rendle 2010).
  int (*factorization)(BackendDevice* device, int rows, int vectors, int dim, const float* x, float* y);
  int (*factorization_backward)(BackendDevice* device, int rows, int vectors, int dim, const float* x,
                                const float* dy, float* dx);
  // y[r,:] = x[r,0,:], then x[r,v,:] . x[r,w,:] for v from 1 on and in it w < v (Naumov et al. 2019).
  int (*interaction)(BackendDevice* device, int rows, int vectors, int dim, const float* x, float* y);
  int (*interaction_backward)(BackendDevice* device, int rows, int vectors, int dim, const float* x,
                              const float* dy, float* dx);

  // to[r,c] = from[r,c], plus what it was if `add`, for c < cols; rows are from_stride and to_stride floats apart.
  int (*copy_columns)(BackendDevice* device, int rows, int cols, int add, size_t from_stride, const float* from,
                      size_t to_stride, float* to);

  // Sums and copies among devices of several processes; null where there are none.
  const BackendGroups* groups;
};

// The one function that a backend's shared library exports, under this name.
constexpr char kBackendEntryPoint[] = "syncline_backend";
using BackendEntryPoint = const Backend* (*)();

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_BACKEND_H_
