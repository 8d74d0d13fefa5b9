/*
 * Runs a compiled network on a bare core: many inputs with a hash of each output, then every prefix of its operators
 * between markers, so that the difference of two is one operator's cost.
 *
 * Output    load STATUS      what hk_net_load said
 *           check INDEX HASH FNV-1a of one output
 *           end              everything ran
 */
#include "bench_guest.h"
#include "hk/hk_net.h"

#include <string.h>

extern const uint8_t network_blob[], network_blob_end[];
extern const uint32_t network_inputs;
extern const uint32_t network_timed;
extern uint32_t network_arena[];
extern const uint32_t network_arena_bytes;

static char line[64];

static void put(const char *name, uint32_t a, uint32_t b, uint32_t n) {
    const uint32_t numbers[2] = {a, b};
    size_t length = strlen(name);
    memcpy(line, name, length);
    for (uint32_t k = 0; k < n; k++) {
        line[length++] = ' ';
        for (int32_t shift = 28; shift >= 0; shift -= 4) {
            line[length++] = "0123456789abcdef"[(numbers[k] >> (uint32_t)shift) & 15U];
        }
    }
    line[length++] = '\n';
    line[length] = '\0';
    bench_print(line);
}

#if !defined(NETWORK_EMPTY)

static hk_net_t net;

/* Codes of input `index`: scattered, every 16th of extremes; program.py gives the same. */
static void fill(uint32_t index) {
    uint8_t *const input = (uint8_t *)network_arena + net.input;
    for (uint32_t k = 0; k < net.input_bytes; k++) {
        uint32_t v = (index * net.input_bytes + k + 1U) * 0x9E3779B1U;
        v ^= v >> 15;
        v *= 0x85EBCA77U;
        v ^= v >> 13;
        v >>= 24;
        input[k] = (uint8_t)(index % 16U == 15U ? ((v & 1U) != 0U ? 127U : 128U) : v);
    }
}

static uint32_t hash_output(void) {
    const uint8_t *const output = (const uint8_t *)network_arena + net.output;
    uint32_t hash = 2166136261U;
    for (uint32_t k = 0; k < net.output_bytes; k++) {
        hash = (hash ^ output[k]) * 16777619U;
    }
    return hash;
}

/* Every second input runs in slices, each of another length. */
static hk_status_t run_input(uint32_t index) {
    if (index % 2U == 0U) {
        return hk_net_run(&net, network_arena, network_arena_bytes);
    }
    hk_net_cursor_t cursor = {0};
    hk_status_t status = HK_OK;
    while (status == HK_OK && cursor.op < net.n_ops) {
        status = hk_net_step(&net, network_arena, network_arena_bytes, &cursor, index * 97U);
    }
    return status;
}

static void run_network(const uint8_t *blob, uint32_t n_bytes) {
    const hk_status_t status = hk_net_load(&net, blob, n_bytes);
    put("load", (uint32_t)status, 0U, 1U);
    if (status != HK_OK) {
        return;
    }
    for (uint32_t k = 0; k < network_inputs; k++) {
        fill(k);
        if (run_input(k) != HK_OK) {
            return;
        }
        put("check", k, hash_output(), 2U);
    }
    const uint32_t n_ops = net.n_ops;
    for (uint32_t k = 0; network_timed != 0U && k <= n_ops; k++) {
        fill(0U);
        net.n_ops = k;
        mark_begin();
        const hk_status_t ran = hk_net_run(&net, network_arena, network_arena_bytes);
        mark_end();
        if (ran != HK_OK) {
            return;
        }
    }
}

/* Each with its length in front. */
static void run_networks(void) {
    for (const uint8_t *at = network_blob; at < network_blob_end;) {
        uint32_t n_bytes;
        memcpy(&n_bytes, at, sizeof n_bytes);
        run_network(at + sizeof n_bytes, n_bytes);
        at += sizeof n_bytes + n_bytes;
    }
}

#endif

void bench_main(void) {
#if !defined(NETWORK_EMPTY)
    run_networks();
#endif
    put("end", 0U, 0U, 0U);
}
