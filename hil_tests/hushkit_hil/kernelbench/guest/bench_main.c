/*
 * Runs the cases of the kernel bench: compares on test signals, then calls each implementation between markers.
 * Integer arithmetic only, so that every core and the host see the same samples.
 */
#include "bench_guest.h"

#include <stddef.h>
#include <string.h>

enum { SIGNAL_NOISE, SIGNAL_SPEECH, SIGNAL_FULL_SCALE, SIGNAL_ALTERNATING, SIGNAL_DC, SIGNAL_SILENCE, SIGNAL_COUNT };
static const char *const signal_names[SIGNAL_COUNT] = {"noise", "speech", "full_scale", "alternating", "dc", "silence"};

static uint32_t random_state;
static int32_t formant[3];
static uint32_t time_index;

static uint32_t random_next(void) {
    random_state = random_state * 1664525U + 1013904223U;
    return random_state;
}

/* Noise through two resonances, switched on and off in syllables of varying loudness. */
static int32_t speech_next(void) {
    const uint32_t syllable = time_index >> 12;
    const int32_t loud = (int32_t)((syllable * 2654435761U) >> 30);
    const int32_t drive = (int32_t)random_next() >> 8;
    formant[0] += (drive - formant[0]) >> 3;
    formant[1] += (formant[0] - formant[2]) >> 2;
    formant[2] += formant[1] >> 3;
    const int32_t open = (int32_t)((time_index & 4095U) < 3000U);
    return open * ((formant[1] >> 2) * (1 << loud));
}

static int32_t signal_next(uint32_t signal) {
    const uint32_t n = time_index++;
    switch (signal) {
    case SIGNAL_NOISE:
        return (int32_t)random_next() >> 3;
    case SIGNAL_SPEECH:
        return speech_next();
    case SIGNAL_FULL_SCALE:
        return (int32_t)random_next() < 0 ? INT32_MIN : INT32_MAX;
    case SIGNAL_ALTERNATING:
        return (n & 1U) != 0U ? INT32_MIN : INT32_MAX;
    case SIGNAL_DC:
        return INT32_MAX;
    default:
        return 0;
    }
}

static void signal_start(uint32_t signal) {
    random_state = 0x1234567U + signal;
    time_index = 0;
    memset(formant, 0, sizeof formant);
}

static void fill(const bench_case_t *bench, uint32_t signal, void *buffer) {
    for (uint32_t n = 0; n < bench->block; n++) {
        const int32_t sample = signal_next(signal);
        if (bench->sample_bytes == 2U) {
            ((int16_t *)buffer)[n] = (int16_t)(sample >> 16);
        } else {
            ((int32_t *)buffer)[n] = sample;
        }
    }
}

static char line[160];
static size_t length;

static void put_text(const char *text) {
    while (*text != '\0' && length + 2U < sizeof line) {
        line[length++] = *text++;
    }
}

static void put_number(uint32_t value) {
    char digits[11];
    size_t at = sizeof digits - 1U;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10U);
        value /= 10U;
    } while (value != 0U);
    put_text(" ");
    put_text(&digits[at]);
}

static void put_line(void) {
    line[length++] = '\n';
    line[length] = '\0';
    bench_print(line);
    length = 0;
}

static int32_t x[BENCH_MAX_BLOCK], x_again[BENCH_MAX_BLOCK], y[BENCH_MAX_BLOCK], expected[BENCH_MAX_BLOCK];

static void compare(const bench_case_t *bench, uint32_t signal) {
    const size_t bytes = (size_t)bench->outputs * bench->sample_bytes;
    uint32_t mismatches = 0;
    uint32_t first = UINT32_MAX;
    uint32_t hash = 2166136261U;
    signal_start(signal);
    bench->generated.reset();
    if (bench->reference.run != NULL) {
        bench->reference.reset();
    }
    for (uint32_t done = 0; done < bench_samples; done += bench->block) {
        fill(bench, signal, x);
        memcpy(x_again, x, sizeof x);
        bench->generated.run(x, y);
        for (size_t k = 0; k < bytes; k++) {
            hash = (hash ^ ((const uint8_t *)y)[k]) * 16777619U;
        }
        if (bench->reference.run == NULL) {
            continue;
        }
        bench->reference.run(x_again, expected);
        if (memcmp(y, expected, bytes) != 0) {
            mismatches++;
            first = first == UINT32_MAX ? done : first;
        }
    }
    put_text("check ");
    put_text(bench->name);
    put_text(" ");
    put_text(signal_names[signal]);
    put_number(bench_samples);
    put_number(mismatches);
    put_number(first);
    put_number(hash);
    put_line();
}

static uint32_t region;

static void put_record(const char *word, uint32_t number, const char *name, const char *what, int is_peer) {
    put_text(word);
    if (word[0] == 'r') {
        put_number(number);
    }
    put_text(" ");
    put_text(name);
    put_text(is_peer ? " cmsis:" : " ");
    put_text(what);
    if (word[0] != 'r') {
        put_number(number);
    }
    put_line();
}

static void put_timed(const char *name, const char *what, int is_peer, uint32_t cycles) {
    put_record("region", region++, name, what, is_peer);
    if (bench_cycles_available()) {
        put_record("cycles", cycles, name, what, is_peer);
    }
}

static void time_runner(const bench_case_t *bench, const bench_runner_t *runner, int is_peer) {
    signal_start(SIGNAL_NOISE);
    runner->reset();
    for (uint32_t k = 0; k < 3U; k++) {
        fill(bench, SIGNAL_NOISE, x);
        runner->run(x, y);
    }
    for (uint32_t k = 0; k < bench_regions; k++) {
        fill(bench, SIGNAL_NOISE, x);
        const uint32_t start = bench_cycles();
        mark_begin();
        runner->run(x, y);
        mark_end();
        put_timed(bench->name, is_peer ? runner->name : "generated", is_peer, bench_cycles() - start);
    }
}

void bench_main(void) {
    if (bench_regions != 0U) { /* what the markers themselves cost */
        const uint32_t start = bench_cycles();
        mark_begin();
        mark_end();
        put_timed("empty", "empty", 0, bench_cycles() - start);
    }
    for (uint32_t k = 0; k < bench_n_cases; k++) {
        const bench_case_t *const bench = &bench_cases[k];
        for (uint32_t signal = 0; bench_samples != 0U && signal < SIGNAL_COUNT; signal++) {
            if ((bench_signals >> signal & 1U) != 0U) {
                compare(bench, signal);
            }
        }
        if (bench_regions != 0U) {
            time_runner(bench, &bench->generated, 0);
            for (uint32_t peer = 0; peer < BENCH_MAX_PEERS && bench->peers[peer].run != NULL; peer++) {
                time_runner(bench, &bench->peers[peer], 1);
            }
        }
    }
    put_text("end");
    put_line();
}
