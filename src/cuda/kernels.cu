// The loops of a residual network that neither cuBLAS nor cuDNN has, each in one pass over the memory.
//
// Maps lie as [pixels, channels]; a thread owns four neighbouring channels and walks down the pixels. The pictures of a
// domain are neighbours, so that a domain is a range of pixels: batch norm treats each range on its own.
// The file is compiled twice, for maps of f32 and (with BF16 defined) of bf16; all arithmetic is in f32 or better.
// tests/cuda_kernels.rs compiles it as C++ and runs every kernel on the CPU.

#ifdef BF16
typedef unsigned short Element;
#else
typedef float Element;
#endif

#define LANES 16  // threads side by side: 64 channels
#define PIXELS 16 // threads below each other
#define MOST_DOMAINS 8

struct Domains {
    int count;
    int starts[MOST_DOMAINS + 1]; // in pixels of the map at hand
};

// What batch norm does to one map: moments [domain][mean, 1/deviation][channels], scale and shift [channels].
struct Norm {
    const float *moments, *scale, *shift;
};

struct Kept {
    double of[MOST_DOMAINS]; // share of the running statistics that stays when a domain has passed
};

struct Four {
    float v[4];
};

__device__ inline Four zero() { return Four{{0, 0, 0, 0}}; }

#ifdef BF16
struct __align__(8) Packed {
    unsigned short v[4];
};
__device__ inline float widened(unsigned short x) { return __uint_as_float((unsigned)x << 16); }
__device__ inline unsigned short narrowed(float x) { // to the nearest, ties to even; a NaN stays one
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)((bits >> 16) | 64u);
    return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
#else
struct __align__(16) Packed {
    float v[4];
};
__device__ inline float widened(float x) { return x; }
__device__ inline float narrowed(float x) { return x; }
#endif

__device__ inline Four load(const Element *from) {
    Packed packed = *reinterpret_cast<const Packed *>(from);
    Four four;
    for (int i = 0; i < 4; i++) four.v[i] = widened(packed.v[i]);
    return four;
}
__device__ inline void store(Element *to, Four four) {
    Packed packed;
    for (int i = 0; i < 4; i++) packed.v[i] = narrowed(four.v[i]);
    *reinterpret_cast<Packed *>(to) = packed;
}
struct __align__(16) Floats {
    float v[4];
};
__device__ inline Four floats(const float *from) {
    Floats f = *reinterpret_cast<const Floats *>(from);
    return Four{{f.v[0], f.v[1], f.v[2], f.v[3]}};
}
__device__ inline void store_floats(float *to, Four four) {
    *reinterpret_cast<Floats *>(to) = Floats{{four.v[0], four.v[1], four.v[2], four.v[3]}};
}

// y = (x - mean) * slope + shift with slope = scale / deviation, four channels at a time.
struct Line {
    Four mean, slope, shift;
    __device__ float at(int i, float x) const { return (x - mean.v[i]) * slope.v[i] + shift.v[i]; }
};
__device__ inline Line line_of(Norm norm, int domain, int channels, int c) {
    Line line;
    line.mean = floats(norm.moments + (2 * domain) * channels + c);
    Four inverse = floats(norm.moments + (2 * domain + 1) * channels + c);
    Four scale = floats(norm.scale + c);
    for (int i = 0; i < 4; i++) line.slope.v[i] = scale.v[i] * inverse.v[i];
    line.shift = floats(norm.shift + c);
    return line;
}

// Adds up what the threads below each other found; thread 0 of each column gets the sum.
__device__ inline Four column_sum(Four mine) {
    __shared__ Four all[PIXELS][LANES];
    all[threadIdx.y][threadIdx.x] = mine;
    __syncthreads();
    for (int step = PIXELS / 2; step > 0; step /= 2) {
        if (threadIdx.y < step)
            for (int i = 0; i < 4; i++) all[threadIdx.y][threadIdx.x].v[i] += all[threadIdx.y + step][threadIdx.x].v[i];
        __syncthreads();
    }
    Four sum = all[0][threadIdx.x];
    __syncthreads(); // before the next sum writes here
    return sum;
}

// Where this thread works: its four channels, its domain, and every which pixel of it. Grid: (slices, channels / 64, domains).
#define PLACE                                                                                                          \
    int c = (blockIdx.y * LANES + threadIdx.x) * 4, domain = blockIdx.z;                                               \
    int first = domains.starts[domain] + blockIdx.x * PIXELS + threadIdx.y, end = domains.starts[domain + 1];          \
    int stride = PIXELS * gridDim.x;                                                                                   \
    bool inside = c < channels;

// Sums of x and x², relative to the domain's first pixel, where a large mean cancels: [domain][slice][2][channels].
extern "C" __global__ void moments_of_slices(const Element *x, float *slices, int channels, Domains domains) {
    PLACE
    Four sum = zero(), square = zero();
    if (inside) {
        Four origin = load(x + (size_t)domains.starts[domain] * channels + c);
#pragma unroll 4
        for (int pixel = first; pixel < end; pixel += stride) {
            Four value = load(x + (size_t)pixel * channels + c);
            for (int i = 0; i < 4; i++) {
                float d = value.v[i] - origin.v[i];
                sum.v[i] += d;
                square.v[i] += d * d;
            }
        }
    }
    sum = column_sum(sum);
    square = column_sum(square);
    if (inside && threadIdx.y == 0) {
        float *to = slices + ((size_t)(domain * gridDim.x + blockIdx.x) * 2) * channels + c;
        store_floats(to, sum);
        store_floats(to + channels, square);
    }
}

#define COLUMNS 32
#define ROWS 32
// The sum of one number over all slices, in f64; rows share the work. Block: (32, 32); grid: (channels / 32).
__device__ inline double slice_sum(const float *slices, int count, size_t distance, bool inside) {
    __shared__ double all[ROWS][COLUMNS];
    double sum = 0;
    if (inside)
        for (int slice = threadIdx.y; slice < count; slice += ROWS) sum += slices[slice * distance];
    all[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    sum = 0;
    for (int row = 0; row < ROWS; row++) sum += all[row][threadIdx.x];
    __syncthreads();
    return sum;
}

// Mean and 1/deviation of each domain from the sums; the running statistics follow, one domain after the other.
extern "C" __global__ void moments_of_domains(const Element *x, const float *slices, int count, float *moments,
                                              float *running_mean, float *running_variance, int channels,
                                              double epsilon, Kept kept, Domains domains) {
    int c = blockIdx.x * COLUMNS + threadIdx.x;
    bool inside = c < channels;
    for (int domain = 0; domain < domains.count; domain++) {
        const float *of_domain = slices + (size_t)domain * count * 2 * channels + c;
        double sum = slice_sum(of_domain, count, 2 * channels, inside);
        double square = slice_sum(of_domain + channels, count, 2 * channels, inside);
        if (!inside || threadIdx.y != 0) continue;
        int start = domains.starts[domain];
        double n = domains.starts[domain + 1] - start;
        double shifted = sum / n, variance = square / n - shifted * shifted;
        if (variance < 0) variance = 0;
        double mean = shifted + widened(x[(size_t)start * channels + c]);
        moments[(2 * domain) * channels + c] = (float)mean;
        moments[(2 * domain + 1) * channels + c] = (float)(1 / sqrt(variance + epsilon));
        double old = kept.of[domain], unbiased = variance * n / (n > 1 ? n - 1 : 1);
        running_mean[c] = (float)(old * running_mean[c] + (1 - old) * mean);
        running_variance[c] = (float)(old * running_variance[c] + (1 - old) * unbiased);
    }
}

// The running statistics in the place of a batch's, for every domain.
extern "C" __global__ void running_moments(const float *running_mean, const float *running_variance, float *moments,
                                           int channels, double epsilon) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= channels) return;
    moments[c] = running_mean[c];
    moments[channels + c] = (float)(1 / sqrt((double)running_variance[c] + epsilon));
}

// y = relu(norm(x) + shortcut); the shortcut is absent, a map as it is, or a map with a norm of its own.
extern "C" __global__ void normalise(const Element *x, Norm norm, const Element *shortcut, Norm of_shortcut, Element *y,
                                     int channels, Domains domains) {
    PLACE
    if (!inside) return;
    Line line = line_of(norm, domain, channels, c), other;
    if (of_shortcut.moments) other = line_of(of_shortcut, domain, channels, c);
#pragma unroll 4
    for (int pixel = first; pixel < end; pixel += stride) {
        size_t at = (size_t)pixel * channels + c;
        Four value = load(x + at), added = zero();
        if (shortcut) added = load(shortcut + at);
        for (int i = 0; i < 4; i++) {
            float s = of_shortcut.moments ? other.at(i, added.v[i]) : added.v[i];
            value.v[i] = fmaxf(line.at(i, value.v[i]) + s, 0.0f);
        }
        store(y + at, value);
    }
}

// The gradient at the output of relu(norm(x) + ...), zero where ReLU was: by the output where it is kept, else by x.
__device__ inline Four closed(Four gradient, Four x, const Element *output, size_t at, const Line &line) {
    Four open = output ? load(output + at) : x;
    for (int i = 0; i < 4; i++)
        if (!((output ? open.v[i] : line.at(i, x.v[i])) > 0)) gradient.v[i] = 0;
    return gradient;
}

// Sums of g, g (x - mean) and, for the shortcut's map z, g (z - mean of z), with g the closed gradient:
// [domain][slice][3][channels].
extern "C" __global__ void gradient_of_slices(const Element *gradient, const Element *x, Norm norm, const Element *output,
                                              const Element *z, Norm of_z, float *slices, int channels,
                                              Domains domains) {
    PLACE
    Four sum = zero(), product = zero(), other_product = zero();
    if (inside) {
        Line line = line_of(norm, domain, channels, c), other;
        if (z) other = line_of(of_z, domain, channels, c);
#pragma unroll 4
        for (int pixel = first; pixel < end; pixel += stride) {
            size_t at = (size_t)pixel * channels + c;
            Four value = load(x + at), shortcut = zero();
            Four g = closed(load(gradient + at), value, output, at, line);
            if (z) shortcut = load(z + at);
            for (int i = 0; i < 4; i++) {
                sum.v[i] += g.v[i];
                product.v[i] += g.v[i] * (value.v[i] - line.mean.v[i]);
                if (z) other_product.v[i] += g.v[i] * (shortcut.v[i] - other.mean.v[i]);
            }
        }
    }
    sum = column_sum(sum);
    product = column_sum(product);
    if (z) other_product = column_sum(other_product);
    if (inside && threadIdx.y == 0) {
        float *to = slices + ((size_t)(domain * gridDim.x + blockIdx.x) * 3) * channels + c;
        store_floats(to, sum);
        store_floats(to + channels, product);
        store_floats(to + 2 * channels, other_product);
    }
}

// The sums of each domain, [domain][3][channels], and the gradients of scale and shift, of the shortcut's norm too.
extern "C" __global__ void gradient_of_domains(const float *slices, int count, const float *moments, float *of_scale,
                                               float *of_shift, const float *z_moments, float *of_z_scale,
                                               float *of_z_shift, float *sums, int channels, int domains) {
    int c = blockIdx.x * COLUMNS + threadIdx.x;
    bool inside = c < channels;
    double scale = 0, shift = 0, z_scale = 0;
    for (int domain = 0; domain < domains; domain++) {
        const float *of_domain = slices + (size_t)domain * count * 3 * channels + c;
        double sum = slice_sum(of_domain, count, 3 * channels, inside);
        double product = slice_sum(of_domain + channels, count, 3 * channels, inside);
        double other_product = z_moments ? slice_sum(of_domain + 2 * channels, count, 3 * channels, inside) : 0;
        if (!inside || threadIdx.y != 0) continue;
        float *to = sums + (size_t)domain * 3 * channels + c;
        to[0] = (float)sum;
        to[channels] = (float)product;
        to[2 * channels] = (float)other_product;
        shift += sum;
        scale += product * moments[(2 * domain + 1) * channels + c];
        if (z_moments) z_scale += other_product * z_moments[(2 * domain + 1) * channels + c];
    }
    if (!inside || threadIdx.y != 0) return;
    of_scale[c] = (float)scale;
    of_shift[c] = (float)shift;
    if (z_moments) {
        of_z_scale[c] = (float)z_scale;
        of_z_shift[c] = (float)shift;
    }
}

// The gradient of batch norm's input: slope * (g - Σg/n - (x - mean) / deviation² * Σg(x - mean)/n).
__device__ inline Four through(Four g, Four x, const Line &line, Four inverse, const float *sum, const float *product,
                               float n) {
    Four result, all = floats(sum), with_x = floats(product);
    for (int i = 0; i < 4; i++) {
        float away = (x.v[i] - line.mean.v[i]) * inverse.v[i] * inverse.v[i];
        result.v[i] = line.slope.v[i] * (g.v[i] - all.v[i] / n - away * (with_x.v[i] / n));
    }
    return result;
}

// From the gradient of relu(norm(x) + shortcut) to that of x, of the shortcut's map z if it has a norm, and the closed
// gradient itself if the shortcut is the map as it is. Each may be written over what it was read from.
extern "C" __global__ void gradient_through(const Element *gradient, const Element *x, Norm norm, const Element *output,
                                            const Element *z, Norm of_z, const float *sums, Element *of_x,
                                            Element *of_shortcut, int channels, Domains domains) {
    PLACE
    if (!inside) return;
    Line line = line_of(norm, domain, channels, c), other;
    Four inverse = floats(norm.moments + (2 * domain + 1) * channels + c), other_inverse;
    if (z) {
        other = line_of(of_z, domain, channels, c);
        other_inverse = floats(of_z.moments + (2 * domain + 1) * channels + c);
    }
    float n = (float)(end - domains.starts[domain]);
    const float *sum = sums + (size_t)domain * 3 * channels + c;
#pragma unroll 2
    for (int pixel = first; pixel < end; pixel += stride) {
        size_t at = (size_t)pixel * channels + c;
        Four value = load(x + at);
        Four g = closed(load(gradient + at), value, output, at, line);
        if (z) {
            Four shortcut = load(z + at);
            store(of_shortcut + at, through(g, shortcut, other, other_inverse, sum, sum + 2 * channels, n));
        } else if (of_shortcut) {
            store(of_shortcut + at, g);
        }
        store(of_x + at, through(g, value, line, inverse, sum, sum + channels, n));
    }
}

// The kernels below have a thread for each four channels of a pixel of the smaller map.
#define PIXEL_OF(height, width)                                                                                        \
    size_t number = (size_t)blockIdx.x * blockDim.x + threadIdx.x;                                                     \
    int fours = channels / 4;                                                                                          \
    if (number >= (size_t)batch * (height) * (width) * fours) return;                                                  \
    int c = (int)(number % fours) * 4, column = (int)(number / fours % (width));                                       \
    int row = (int)(number / fours / (width) % (height)), picture = (int)(number / fours / (width) / (height));

// Max-pooling, 3×3 with stride 2 and padding 1, of relu(norm(x)) that is never written; which of the nine it was, the
// first of equals as in PyTorch, for the way back.
extern "C" __global__ void pool(const Element *x, Norm norm, Element *y, unsigned char *which, int batch, int height,
                                int width, int channels, Domains domains) {
    int out_height = (height - 1) / 2 + 1, out_width = (width - 1) / 2 + 1;
    PIXEL_OF(out_height, out_width)
    int domain = 0; // the starts count pixels of the larger map
    while (picture * height * width >= domains.starts[domain + 1]) domain++;
    Line line = line_of(norm, domain, channels, c);
    Four best = zero();
    int place[4] = {-1, -1, -1, -1};
    for (int k = 0; k < 9; k++) {
        int h = 2 * row - 1 + k / 3, w = 2 * column - 1 + k % 3;
        if (h < 0 || h >= height || w < 0 || w >= width) continue;
        Four value = load(x + ((size_t)(picture * height + h) * width + w) * channels + c);
        for (int i = 0; i < 4; i++) {
            float active = fmaxf(line.at(i, value.v[i]), 0.0f);
            if (place[i] < 0 || active > best.v[i]) {
                best.v[i] = active;
                place[i] = k;
            }
        }
    }
    store(y + number * 4, best);
    if (which)
        for (int i = 0; i < 4; i++) which[number * 4 + i] = (unsigned char)place[i];
}

// Back through it: a pixel collects from the up to four windows that it is in.
extern "C" __global__ void unpool(const Element *gradient, const unsigned char *which, Element *of_input, int batch,
                                  int height, int width, int channels) {
    PIXEL_OF(height, width)
    int out_height = (height - 1) / 2 + 1, out_width = (width - 1) / 2 + 1;
    Four sum = zero();
    for (int h = row / 2; h <= (row + 1) / 2 && h < out_height; h++)
        for (int w = column / 2; w <= (column + 1) / 2 && w < out_width; w++) {
            size_t at = ((size_t)(picture * out_height + h) * out_width + w) * channels + c;
            int k = (row - 2 * h + 1) * 3 + column - 2 * w + 1;
            Four g = load(gradient + at);
            for (int i = 0; i < 4; i++)
                if (which[at + i] == k) sum.v[i] += g.v[i];
        }
    store(of_input + number * 4, sum);
}

// Every second pixel of every second row, and back: the gradient is added where the pixel came from.
extern "C" __global__ void every_second(const Element *x, Element *y, int batch, int height, int width, int channels) {
    int out_height = (height - 1) / 2 + 1, out_width = (width - 1) / 2 + 1;
    PIXEL_OF(out_height, out_width)
    store(y + number * 4, load(x + ((size_t)(picture * height + 2 * row) * width + 2 * column) * channels + c));
}
extern "C" __global__ void add_to_every_second(const Element *y, Element *x, int batch, int height, int width,
                                               int channels) {
    int out_height = (height - 1) / 2 + 1, out_width = (width - 1) / 2 + 1;
    PIXEL_OF(out_height, out_width)
    Element *at = x + ((size_t)(picture * height + 2 * row) * width + 2 * column) * channels + c;
    Four sum = load(at), added = load(y + number * 4);
    for (int i = 0; i < 4; i++) sum.v[i] += added.v[i];
    store(at, sum);
}

// A kernel [output, size, size, input] turned by half a circle, [input, size, size, output]: the gradient of a convolution's
// input is a convolution of the output's gradient with it, where the stride is 1.
extern "C" __global__ void turn(const Element *kernel, Element *turned, int output, int size, int input) {
    size_t number = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    int places = size * size;
    if (number >= (size_t)output * places * input) return;
    int out = (int)(number % output), place = (int)(number / output % places), in = (int)(number / output / places);
    turned[number] = kernel[((size_t)out * places + places - 1 - place) * input + in];
}

// [count, rows, columns] to [count, columns, rows], in the place of what is there or added to it. Block: (32, 8); grid:
// (columns / 32, rows / 32, count).
extern "C" __global__ void transpose(const Element *from, Element *to, int rows, int columns, int add) {
    __shared__ Element tile[32][33]; // one more, so that a column lies in 32 banks
    size_t start = (size_t)blockIdx.z * rows * columns;
    int column = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 32 + threadIdx.x;
    for (int i = threadIdx.y; i < 32; i += 8)
        if (blockIdx.y * 32 + i < rows && column < columns)
            tile[i][threadIdx.x] = from[start + (size_t)(blockIdx.y * 32 + i) * columns + column];
    __syncthreads();
    for (int i = threadIdx.y; i < 32; i += 8)
        if (blockIdx.x * 32 + i < columns && row < rows) {
            Element *at = to + start + (size_t)(blockIdx.x * 32 + i) * rows + row;
            Element value = tile[threadIdx.x][i];
            *at = add ? narrowed(widened(*at) + widened(value)) : value;
        }
}

// The mean over the pixels of each picture, in f32: [batch, pixels, channels] to [batch, channels].
extern "C" __global__ void average(const Element *map, float *feature, int pixels, int channels) {
    int c = (blockIdx.x * LANES + threadIdx.x) * 4;
    const Element *picture = map + (size_t)blockIdx.y * pixels * channels;
    Four sum = zero();
    if (c < channels)
        for (int pixel = threadIdx.y; pixel < pixels; pixel += PIXELS) {
            Four value = load(picture + (size_t)pixel * channels + c);
            for (int i = 0; i < 4; i++) sum.v[i] += value.v[i];
        }
    sum = column_sum(sum);
    if (c >= channels || threadIdx.y != 0) return;
    for (int i = 0; i < 4; i++) sum.v[i] /= pixels;
    store_floats(feature + (size_t)blockIdx.y * channels + c, sum);
}
// Back: every pixel gets an equal share.
extern "C" __global__ void spread(const float *of_feature, Element *of_map, int batch, int height, int width,
                                  int channels) {
    PIXEL_OF(height, width)
    Four share = floats(of_feature + (size_t)picture * channels + c);
    for (int i = 0; i < 4; i++) share.v[i] /= height * width;
    store(of_map + number * 4, share);
}

extern "C" __global__ void to_elements(const float *from, Element *to, size_t count) {
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (size_t)gridDim.x * blockDim.x)
        to[i] = narrowed(from[i]);
}
extern "C" __global__ void to_floats(const Element *from, float *to, size_t count) {
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (size_t)gridDim.x * blockDim.x)
        to[i] = widened(from[i]);
}

#define MOST_TENSORS 96
struct Tensors {
    float *weight[MOST_TENSORS];
    float *velocity[MOST_TENSORS];
    const float *gradient[MOST_TENSORS];
    int count[MOST_TENSORS];
    float rate[MOST_TENSORS];
};
// v = μv + g + λw; w -= η (g + λw + μv), or ηv without Nesterov. Grid: (blocks, tensors).
extern "C" __global__ void sgd(const __grid_constant__ Tensors tensors, float momentum, float decay, int nesterov) {
    int tensor = blockIdx.y, count = tensors.count[tensor];
    float *weight = tensors.weight[tensor], *velocity = tensors.velocity[tensor], rate = tensors.rate[tensor];
    const float *gradient = tensors.gradient[tensor];
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        float w = weight[i], g = gradient[i] + decay * w, v = momentum * velocity[i] + g;
        velocity[i] = v;
        weight[i] = w - rate * (nesterov ? g + momentum * v : v);
    }
}
