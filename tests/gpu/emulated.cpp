// src/cuda/kernels.cu on the CPU: a thread of the system for each thread of a block, one block after the other.
#include <barrier>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

struct Dim3 {
    unsigned x, y, z;
};
static thread_local Dim3 threadIdx, blockIdx;
static Dim3 blockDim, gridDim;
static std::barrier<> *block_barrier;

#define __global__
#define __device__
#define __shared__ static
#define __grid_constant__
#define __align__(bytes) alignas(bytes)
#define __syncthreads() block_barrier->arrive_and_wait()
static unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, 4);
    return bits;
}
static float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

#include "../../src/cuda/kernels.cu"

template <class Kernel> static void run(Dim3 grid, Dim3 block, Kernel kernel) {
    gridDim = grid;
    blockDim = block;
    unsigned count = block.x * block.y * block.z;
    std::barrier<> in_block(count), between_blocks(count);
    block_barrier = &in_block;
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < count; number++)
        threads.emplace_back([&, number] {
            threadIdx = {number % block.x, number / block.x % block.y, number / block.x / block.y};
            for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
                for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
                    for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
                        kernel();
                        between_blocks.arrive_and_wait();
                    }
        });
    for (auto &thread : threads) thread.join();
}

// One entry for all: the arguments by their addresses, as the driver takes them.
template <class... Arguments, size_t... I>
static void with(void (*kernel)(Arguments...), Dim3 grid, Dim3 block, void **from, std::index_sequence<I...>) {
    run(grid, block, [&] { kernel(*static_cast<std::remove_reference_t<Arguments> *>(from[I])...); });
}
template <class... Arguments>
static void launch(void (*kernel)(Arguments...), Dim3 grid, Dim3 block, void **from) {
    with(kernel, grid, block, from, std::index_sequence_for<Arguments...>{});
}
#define KERNEL(name)                                                                                                   \
    if (!strcmp(wanted, #name)) return launch(name, grid, block, arguments), 1;

extern "C" int launch_kernel(const char *wanted, Dim3 grid, Dim3 block, void **arguments) {
    KERNEL(moments_of_slices)
    KERNEL(moments_of_domains)
    KERNEL(running_moments)
    KERNEL(normalise)
    KERNEL(gradient_of_slices)
    KERNEL(gradient_of_domains)
    KERNEL(gradient_through)
    KERNEL(pool)
    KERNEL(unpool)
    KERNEL(every_second)
    KERNEL(add_to_every_second)
    KERNEL(turn)
    KERNEL(transpose)
    KERNEL(average)
    KERNEL(spread)
    KERNEL(to_elements)
    KERNEL(to_floats)
    KERNEL(sgd)
    return 0;
}
