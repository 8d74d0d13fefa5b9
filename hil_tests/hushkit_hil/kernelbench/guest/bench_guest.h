/**
 * @file  bench_guest.h
 * @brief What the kernel bench runs on a bare core: cases, signals, comparison and markers.
 *
 * Output    one line per record, through semihosting (or stdio in the host build):
 *           `check CASE SIGNAL SAMPLES MISMATCHES FIRST HASH`: generated against reference, FNV-1a of its output;
 *           `region INDEX CASE generated|cmsis:FUNCTION`: what the k-th region between the markers belongs to;
 *           `cycles CASE generated|cmsis:FUNCTION COUNT`: the same call by the core's own counter, where it counts;
 *           `end`: everything ran.
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int32_t, uint32_t */

#define BENCH_MAX_BLOCK 64U
#define BENCH_MAX_PEERS 3U

/** One implementation: processes one block. Buffers hold int16_t where the case's samples have two bytes. */
typedef struct {
    const char *name;
    void (*reset)(void);
    void (*run)(const void *x, void *y);
} bench_runner_t;

typedef struct {
    const char *name;
    uint32_t block;        /* samples per call */
    uint32_t outputs;      /* of them written: fewer in a decimator */
    uint32_t sample_bytes; /* 2 or 4 */
    bench_runner_t generated;
    bench_runner_t reference;              /* bit for bit the same; run is null when there is none */
    bench_runner_t peers[BENCH_MAX_PEERS]; /* timed; run is null behind the last */
} bench_case_t;

extern const bench_case_t bench_cases[];
extern const uint32_t bench_n_cases;
extern const uint32_t bench_samples; /* per signal, in the comparison */
extern const uint32_t bench_signals; /* which: bits in the order of their names */
extern const uint32_t bench_regions; /* timed calls per implementation; 0: none */

/** Provided by the port: semihosting on a core, stdio on the host. */
void bench_print(const char *text);
void mark_begin(void);
void mark_end(void);

/** Cycle counter of the core, running; false where there is none (QEMU, the host). */
bool bench_cycles_available(void);
uint32_t bench_cycles(void);

/** Runs every case. */
void bench_main(void);

#endif /* BENCH_GUEST_H */
