/*
 * Runs the classifier's front end on a bare core: frames of noise with a hash of each, then one frame's decimation and
 * each of its slices between markers.
 *
 * Output    check INDEX HASH   FNV-1a of one frame's logarithms and power
 *           end                everything ran
 */
#include "bench_guest.h"
#include "hk/hk_frontend.h"

#include <string.h>

#define FRAMES    24U
#define BLOCK     32U
#define PER_FRAME (HK_FRONTEND_DECIMATION * HK_FRONTEND_FRAME)

static hk_frontend_t f;
static uint32_t n_made;

static void put(uint32_t index, uint32_t hash) {
    const uint32_t numbers[2] = {index, hash};
    char line[32] = "check";
    uint32_t at = 5U;
    for (uint32_t k = 0U; k < 2U; k++) {
        line[at++] = ' ';
        for (int32_t shift = 28; shift >= 0; shift -= 4) {
            line[at++] = "0123456789abcdef"[(numbers[k] >> (uint32_t)shift) & 15U];
        }
    }
    line[at++] = '\n';
    line[at] = '\0';
    bench_print(line);
}

/* Scattered samples, another level in each frame; rows.py makes the same. */
static void make(int32_t *samples, uint32_t n) {
    for (uint32_t k = 0U; k < n; k++, n_made++) {
        uint32_t v = (n_made + 1U) * 0x9E3779B1U;
        v ^= v >> 15;
        v *= 0x85EBCA77U;
        v ^= v >> 13;
        samples[k] = (int32_t)v >> (n_made / PER_FRAME % 24U);
    }
}

static uint32_t hash_frame(void) {
    uint32_t hash = 2166136261U;
    uint8_t bytes[sizeof f.log_mel + sizeof f.power_q48];
    memcpy(bytes, f.log_mel, sizeof f.log_mel);
    memcpy(bytes + sizeof f.log_mel, &f.power_q48, sizeof f.power_q48);
    for (uint32_t k = 0U; k < sizeof bytes; k++) {
        hash = (hash ^ bytes[k]) * 16777619U;
    }
    return hash;
}

static void compare(void) {
    int32_t samples[BLOCK];
    uint32_t done = 0U;
    while (done < FRAMES) {
        make(samples, BLOCK);
        hk_frontend_push(&f, samples, BLOCK);
        if (hk_frontend_step(&f)) {
            put(done, hash_frame());
            done++;
        }
    }
}

/* One region per update block of one frame: what it pushes and its slice, or nothing. */
static void time_frame(void) {
    int32_t samples[BLOCK];
    for (uint32_t k = 0U; k < PER_FRAME / BLOCK; k++) {
        make(samples, BLOCK);
        mark_begin();
        hk_frontend_push(&f, samples, BLOCK);
        (void)hk_frontend_step(&f);
        mark_end();
    }
    mark_begin();
    mark_end();
}

void bench_main(void) {
    hk_frontend_init(&f);
    compare();
    time_frame();
    bench_print("end\n");
}
