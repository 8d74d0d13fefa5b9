/*
 * Fuzz target of the network loader (libFuzzer): whatever hk_net_load accepts, hk_net_run and
 * hk_net_step must execute inside blob and arena. The CRC is set right first, or nothing would get past it. Build: see
 * networkbench/fuzz.py.
 */
#include "hk/hk_net.h"
#include "hk_net_blob.h" /* HK_NET_MAGIC, HK_NET_VERSION */

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 64U
#define LARGEST      (1UL << 16) /* arenas and networks beyond this only cost time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static uint32_t crc32(const uint8_t *data, size_t n_bytes) {
    uint32_t crc = 0xFFFFFFFFU;
    for (size_t k = 0; k < n_bytes; k++) {
        crc ^= data[k];
        for (uint32_t bit = 0; bit < 8U; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    uint8_t *const blob = malloc(n_bytes == 0U ? 1U : n_bytes); /* exact ends: the sanitizer sees one byte too far */
    if (blob == NULL) {
        return 0;
    }
    memcpy(blob, data, n_bytes);
    if (n_bytes >= HEADER_BYTES) {
        const uint32_t total = (uint32_t)n_bytes;
        const uint32_t crc = crc32(blob + 16, n_bytes - 16U);
        const uint32_t magic = HK_NET_MAGIC;
        const uint16_t version = HK_NET_VERSION;
        memcpy(blob, &magic, sizeof magic);
        memcpy(blob + 4, &version, sizeof version);
        memcpy(blob + 8, &total, sizeof total);
        memcpy(blob + 12, &crc, sizeof crc);
    }
    hk_net_t net = {0};
    if (hk_net_load(&net, blob, n_bytes) == HK_OK && net.arena_bytes <= LARGEST && net.n_ops <= 8U) {
        void *const arena = calloc(1, net.arena_bytes == 0U ? 1U : net.arena_bytes);
        if (arena != NULL && hk_net_run(&net, arena, net.arena_bytes) != HK_OK) {
            abort(); /* a network that loads must run */
        }
        hk_net_cursor_t cursor = {0};
        while (arena != NULL && cursor.op < net.n_ops) {
            if (hk_net_step(&net, arena, net.arena_bytes, &cursor, (uint32_t)n_bytes) != HK_OK) {
                abort();
            }
        }
        free(arena);
    }
    free(blob);
    return 0;
}
