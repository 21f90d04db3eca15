/*
 * What LLVM makes of the multiply-adds of a matrix product on this CPU, and what each habit of
 * Mesa's CPU driver costs. C = A B of 768 x 768, row by row in memory. One step a line:
 *
 *   registers   chains of multiply-adds that never leave the registers
 *   blocked     a tile that fits the registers, operands packed (Goto and van de Geijn 2008)
 *   tile        the tile of the families `subgroup` and `texture`: 32 rows by a vec4 a lane, four k an
 *               iteration, accumulators in memory; operands packed in the order of their use
 *   broadcast   the same, elements of A taken out of a register instead of out of memory
 *   masked      the same, each accumulator blended by the mask of the loop
 *   texels      the same, operands loaded a texel of 16 bytes a lane and transposed
 *   bounds      the same, texels found by coordinates and held against the size of the texture
 *   called      the same, a function call a load (Mesa 25.0)
 *   gathers     `bounds` with four gathers in the place of loads and transposes
 *   buffers     `masked`, operands loaded lane by lane, each with a mask and a bounds test a float
 *
 * Built by clang, once for each vector width and set of instructions; see build.ts. Takes the number of
 * threads and of rounds, checks every step's product, and prints a JSON line a step: GFLOP/s by the time
 * that the longest of the threads ran, the median of the rounds and the best.
 */
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef WIDTH
#define WIDTH 8 /* floats of a vector: 4, 8 or 16 */
#endif
#define N 768
#define ROWS 32
#define LOADS (ROWS / WIDTH)
#define COLUMNS (4 * WIDTH)
#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(4 * WIDTH), aligned(64 < 4 * WIDTH ? 64 : 4 * WIDTH)));
typedef int32_t vi __attribute__((vector_size(4 * WIDTH)));
typedef uint32_t vu __attribute__((vector_size(4 * WIDTH)));
typedef float v4 __attribute__((vector_size(16)));

static float *a, *b, *c, *packed_a, *packed_b, *blocked_a, *blocked_b;

#if WIDTH == 4
#define LANE0 0, 0, 0, 0
#elif WIDTH == 8
#define LANE0 0, 0, 0, 0, 0, 0, 0, 0
#else
#define LANE0 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#endif
INLINE vf splat(float x) {
  vf v = {x};
  return __builtin_shufflevector(v, v, LANE0);
}
INLINE v4 load4(const void *p) {
  v4 v;
  memcpy(&v, p, 16);
  return v;
}
INLINE vf loadv(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE void storev(float *p, vf v) { memcpy(p, &v, sizeof v); }
INLINE vf blend(vi mask, vf on, vf off) { return (vf)((mask & (vi)on) | (~mask & (vi)off)); }

/* ---- registers ---- */
#if WIDTH == 16 || defined(__AVX512VL__)
#define CHAINS 24
#else
#define CHAINS 12
#endif
#define REPEATS (1 << 17)

static void registers(int row0, int row1) {
  vf m = splat(0.999f + 1e-9f * row0), x[CHAINS];
  for (int i = 0; i < CHAINS; i++) x[i] = splat(i);
  for (int k = 0; k < REPEATS; k++) {
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS; i++) x[i] = x[i] * m + m;
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS; i++) __asm__("" : "+v"(x[i]));
  }
  vf sum = splat(0);
  for (int i = 0; i < CHAINS; i++) sum += x[i];
  storev(c + row1 - row0, sum);
}

/* ---- blocked ---- */
#if WIDTH == 16 || defined(__AVX512VL__)
#define TALL 12
#else
#define TALL 6
#endif
#define WIDE 2

/* Terms of a sum that are added at a time: their panel of B stays in the first cache. */
#define DEEP 256

static void blocked(int row0, int row1) {
  for (int k0 = 0; k0 < N; k0 += DEEP) {
    for (int column = 0; column < N; column += WIDE * WIDTH) {
      for (int row = row0; row < row1; row += TALL) {
        vf x[TALL][WIDE];
        float *out = c + row * N + column;
#pragma GCC unroll 12
        for (int i = 0; i < TALL; i++) {
          x[i][0] = k0 ? loadv(out + i * N) : splat(0);
          x[i][1] = k0 ? loadv(out + i * N + WIDTH) : splat(0);
        }
        const float *pa = blocked_a + row * N + k0 * TALL, *pb = blocked_b + column * N + k0 * WIDE * WIDTH;
        for (int k = 0; k < DEEP; k++, pa += TALL, pb += WIDE * WIDTH) {
          vf b0 = loadv(pb), b1 = loadv(pb + WIDTH);
#pragma GCC unroll 12
          for (int i = 0; i < TALL; i++) {
            vf f = splat(pa[i]);
            x[i][0] += f * b0;
            x[i][1] += f * b1;
          }
        }
#pragma GCC unroll 12
        for (int i = 0; i < TALL; i++) {
          storev(out + i * N, x[i][0]);
          storev(out + i * N + WIDTH, x[i][1]);
        }
      }
    }
  }
}

/* ---- loads of four floats a lane ---- */
struct quad { vf of[4]; };
struct image { const char *base; uint32_t width, height, stride; };

#if WIDTH == 4
INLINE vf texels(const char *base, vi at, int i) { return load4(base + at[i]); }
#define LOW(x, y) __builtin_shufflevector(x, y, 0, 4, 1, 5)
#define HIGH(x, y) __builtin_shufflevector(x, y, 2, 6, 3, 7)
#define LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 4, 5)
#define HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 6, 7)
#elif WIDTH == 8
INLINE vf texels(const char *base, vi at, int i) {
  return __builtin_shufflevector(load4(base + at[i]), load4(base + at[i + 4]), 0, 1, 2, 3, 4, 5, 6, 7);
}
#define LOW(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(x, y) __builtin_shufflevector(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#else
typedef float v8 __attribute__((vector_size(32)));
INLINE vf texels(const char *base, vi at, int i) {
  v8 low = __builtin_shufflevector(load4(base + at[i]), load4(base + at[i + 4]), 0, 1, 2, 3, 4, 5, 6, 7);
  v8 high = __builtin_shufflevector(load4(base + at[i + 8]), load4(base + at[i + 12]), 0, 1, 2, 3, 4, 5, 6, 7);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
#define LOW(x, y) \
  __builtin_shufflevector(x, y, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH(x, y) \
  __builtin_shufflevector(x, y, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define LOW2(x, y) \
  __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH2(x, y) \
  __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#endif

INLINE struct quad transposed(vf r0, vf r1, vf r2, vf r3) {
  vf l0 = LOW(r0, r1), h0 = HIGH(r0, r1), l1 = LOW(r2, r3), h1 = HIGH(r2, r3);
  return (struct quad){{LOW2(l0, l1), HIGH2(l0, l1), LOW2(h0, h1), HIGH2(h0, h1)}};
}

INLINE struct quad load_texels(const char *base, vi at) {
  return transposed(texels(base, at, 0), texels(base, at, 1), texels(base, at, 2), texels(base, at, 3));
}

/* The texel at `index`, by its coordinates in rows of 2048; zeros beyond the texture. */
INLINE struct quad load_image(const struct image *image, vi index, int gathers) {
  vu x = (vu)index & 2047, y = (vu)index >> 11;
  vi inside = (vi)(x < image->width) & (vi)(y < image->height);
  vi at = (vi)(y * image->stride + (x << 4)) & inside;
  struct quad q;
#if WIDTH == 8 && defined(__AVX2__)
  if (gathers) {
    for (int i = 0; i < 4; i++)
      q.of[i] = (vf)_mm256_i32gather_ps((const float *)image->base + i, (__m256i)at, 1);
  } else
#elif WIDTH == 16
  if (gathers) {
    for (int i = 0; i < 4; i++)
      q.of[i] = (vf)_mm512_i32gather_ps((__m512i)at, (const float *)image->base + i, 1);
  } else
#endif
    q = load_texels(image->base, at);
  for (int i = 0; i < 4; i++) q.of[i] = (vf)((vi)q.of[i] & inside);
  return q;
}

/* Vectors are passed in registers, as the driver's functions do; those of the caller go to memory. */
#define IN_REGISTERS __attribute__((regcall))
static __attribute__((noinline)) IN_REGISTERS struct quad called_image(const struct image *image, vi index) {
  return load_image(image, index, 0);
}
static IN_REGISTERS struct quad (*volatile call)(const struct image *, vi) = called_image;

/* Lane by lane, float by float. */
static __attribute__((noinline)) void load_buffer(const float *p, uint32_t size, const vi *index, const vi *mask, struct quad *q) {
#pragma clang loop vectorize(disable) unroll(disable)
  for (int lane = 0; lane < WIDTH; lane++) {
    if (!(*mask)[lane]) continue;
    uint32_t at = 4 * (uint32_t)(*index)[lane];
    for (int i = 0; i < 4; i++) {
      float value = 0;
      if (at + i < size) value = p[at + i];
      ((float *)&q->of[i])[lane] = value;
    }
  }
}

enum { PACKED, TEXELS, IMAGE, CALLED, GATHERS, BUFFERS };

INLINE struct quad fetch(int how, const struct image *image, vi index, vi mask) {
  struct quad q = {{{0}}};
  if (how == TEXELS) q = load_texels(image->base, index << 4);
  else if (how == IMAGE || how == GATHERS) q = load_image(image, index, how == GATHERS);
  else if (how == CALLED) q = call(image, index);
  else load_buffer((const float *)image->base, N * N, &index, &mask, &q);
  /* Loads stay where they are, before the multiply-adds, as in the driver's code. */
  for (int i = 0; i < 4; i++) __asm__ volatile("" : "+v"(q.of[i]));
  return q;
}

/* Element of a register as a vector: LLVM sees a constant lane. */
#define BROADCAST(v, lane) splat((v)[lane])

/* ---- the tile of our kernels ---- */
INLINE void tile(int row, int column, int how, int broadcast, int masked) {
  static const struct image none;
  struct image ia = none, ib = none;
  ia.width = ib.width = 2048, ia.height = ib.height = N * N / 4 / 2048, ia.stride = ib.stride = 2048 * 16;
  ia.base = (const char *)a, ib.base = (const char *)b;
  vi lane;
  for (int i = 0; i < WIDTH; i++) lane[i] = i;
  vf x[ROWS][4];
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < 4; j++) x[i][j] = splat(0);
  const float *pa = packed_a + row * N, *pb = packed_b + column * N;
  vi counter = lane - lane, steps = counter + N / 4;
  /* The driver keeps accumulators in memory from one iteration to the next, and so does this. */
  for (int k = 0; k < N / 4; k++, pa += 4 * ROWS, pb += 4 * COLUMNS) {
    __asm__ volatile("" : : "r"(x) : "memory");
    vi mask = counter < steps;
    struct quad qa[LOADS], qb[4];
    if (how == PACKED) {
      for (int i = 0; i < LOADS; i++)
        for (int q = 0; q < 4; q++) qa[i].of[q] = loadv(pa + (4 * i + q) * WIDTH);
      for (int q = 0; q < 4; q++)
        for (int j = 0; j < 4; j++) qb[q].of[j] = loadv(pb + (4 * q + j) * WIDTH);
    } else {
      for (int i = 0; i < LOADS; i++) qa[i] = fetch(how, &ia, (row + i * WIDTH + lane) * (N / 4) + k, mask);
      for (int q = 0; q < 4; q++) qb[q] = fetch(how, &ib, (4 * k + q) * (N / 4) + column / 4 + lane, mask);
    }
#pragma GCC unroll 32
    for (int i = 0; i < ROWS; i++) {
      vf x0 = x[i][0], x1 = x[i][1], x2 = x[i][2], x3 = x[i][3];
#pragma GCC unroll 4
      for (int q = 0; q < 4; q++) {
        vf f = broadcast ? BROADCAST(qa[i / WIDTH].of[q], i % WIDTH) : splat(pa[(4 * (i / WIDTH) + q) * WIDTH + i % WIDTH]);
        x0 += f * qb[q].of[0];
        x1 += f * qb[q].of[1];
        x2 += f * qb[q].of[2];
        x3 += f * qb[q].of[3];
      }
      x[i][0] = masked ? blend(mask, x0, x[i][0]) : x0;
      x[i][1] = masked ? blend(mask, x1, x[i][1]) : x1;
      x[i][2] = masked ? blend(mask, x2, x[i][2]) : x2;
      x[i][3] = masked ? blend(mask, x3, x[i][3]) : x3;
    }
    counter += 1;
    __asm__ volatile("" : "+x"(counter));
  }
  for (int i = 0; i < ROWS; i++)
    for (int l = 0; l < WIDTH; l++)
      for (int j = 0; j < 4; j++) c[(row + i) * N + column + 4 * l + j] = x[i][j][l];
}

#define STEP(name, how, broadcast, masked)                                        \
  static void name(int row0, int row1) {                                          \
    for (int row = row0; row < row1; row += ROWS)                                 \
      for (int column = 0; column < N; column += COLUMNS)                         \
        tile(row, column, how, broadcast, masked);                                \
  }
STEP(tiled, PACKED, 0, 0)
STEP(broadcasts, PACKED, 1, 0)
STEP(maskeds, PACKED, 1, 1)
STEP(texelss, TEXELS, 1, 1)
STEP(bounds, IMAGE, 1, 1)
STEP(calleds, CALLED, 1, 1)
STEP(gatherss, GATHERS, 1, 1)
STEP(buffers, BUFFERS, 1, 1)

/* ---- operands, checks, threads ---- */
static float value(int i, int seed) {
  uint32_t h = (uint32_t)i * 2654435761u + (uint32_t)seed * 40503u;
  h ^= h >> 15, h *= 2246822519u, h ^= h >> 13;
  return (float)(h >> 8) / (1 << 23) - 1;
}

static void prepare(void) {
  float **all[] = {&a, &b, &c, &packed_a, &packed_b, &blocked_a, &blocked_b};
  for (int i = 0; i < 7; i++) *all[i] = aligned_alloc(64, N * N * sizeof(float));
  for (int i = 0; i < N * N; i++) a[i] = value(i, 1), b[i] = value(i, 2);
  float *p = packed_a;
  for (int row = 0; row < N; row += ROWS)
    for (int k = 0; k < N; k += 4)
      for (int i = 0; i < LOADS; i++)
        for (int q = 0; q < 4; q++)
          for (int l = 0; l < WIDTH; l++) *p++ = a[(row + i * WIDTH + l) * N + k + q];
  p = packed_b;
  for (int column = 0; column < N; column += COLUMNS)
    for (int k = 0; k < N; k++)
      for (int j = 0; j < 4; j++)
        for (int l = 0; l < WIDTH; l++) *p++ = b[k * N + column + 4 * l + j];
  p = blocked_a;
  for (int row = 0; row < N; row += TALL)
    for (int k = 0; k < N; k++)
      for (int i = 0; i < TALL; i++) *p++ = a[(row + i) * N + k];
  p = blocked_b;
  for (int column = 0; column < N; column += WIDE * WIDTH)
    for (int k = 0; k < N; k++)
      for (int i = 0; i < WIDE * WIDTH; i++) *p++ = b[k * N + column + i];
}

/* Largest difference from sums in double, over entries spread over all tiles. */
static double worst(void) {
  double most = 0;
  for (int n = 0; n < N; n++) {
    int row = n, column = (n * 37 + 11) % N;
    double sum = 0;
    for (int k = 0; k < N; k++) sum += (double)a[row * N + k] * b[k * N + column];
    most = fmax(most, fabs(sum - c[row * N + column]));
  }
  return most;
}

typedef void (*product)(int, int);
struct part { product run; int from, to; double seconds; };

static void *run_part(void *given) {
  struct part *part = given;
  struct timespec start, end;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  part->run(part->from, part->to);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  part->seconds = end.tv_sec - start.tv_sec + 1e-9 * (end.tv_nsec - start.tv_nsec);
  return NULL;
}

/* Seconds that the longest of the threads ran. */
static double timed(product run, int threads) {
  pthread_t ids[64];
  struct part parts[64];
  int each = N / 96 / threads * 96;
  for (int i = 0; i < threads; i++) {
    parts[i] = (struct part){run, i * each, i == threads - 1 ? N : (i + 1) * each, 0};
    pthread_create(&ids[i], NULL, run_part, &parts[i]);
  }
  double most = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(ids[i], NULL);
    most = fmax(most, parts[i].seconds);
  }
  return most;
}

static int by_size(const void *x, const void *y) {
  double d = *(const double *)x - *(const double *)y;
  return (d > 0) - (d < 0);
}

#define MOST_ROUNDS 101
static const struct { const char *name; product run; } STEPS[] = {
  {"registers", registers}, {"blocked", blocked}, {"tile", tiled}, {"broadcast", broadcasts},
  {"masked", maskeds}, {"texels", texelss}, {"bounds", bounds}, {"called", calleds},
#if WIDTH == 16 || (WIDTH == 8 && defined(__AVX2__))
  {"gathers", gatherss},
#endif
  {"buffers", buffers},
};
enum { COUNT = sizeof STEPS / sizeof *STEPS };

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1, rounds = argc > 2 ? atoi(argv[2]) : 9;
  if (threads < 1 || threads > 8 || rounds < 1 || rounds > MOST_ROUNDS) return 2;
  prepare();
  static double seconds[COUNT][MOST_ROUNDS];
  for (int s = 1; s < COUNT; s++) {
    memset(c, 0, N * N * sizeof(float));
    timed(STEPS[s].run, threads);
    if (!(worst() < 1e-3)) {
      fprintf(stderr, "step %s is wrong by %g\n", STEPS[s].name, worst());
      return 1;
    }
  }
  for (int r = 0; r < rounds; r++)
    for (int s = 0; s < COUNT; s++) seconds[s][r] = timed(STEPS[s].run, threads);
  for (int s = 0; s < COUNT; s++) {
    qsort(seconds[s], rounds, sizeof(double), by_size);
    double work = s == 0 ? 2.0 * CHAINS * WIDTH * REPEATS * threads : 2.0 * N * N * N;
    printf("{\"step\":\"%s\",\"gflops\":%.2f,\"best\":%.2f}\n", STEPS[s].name,
           work / seconds[s][rounds / 2] / 1e9, work / seconds[s][0] / 1e9);
  }
}
