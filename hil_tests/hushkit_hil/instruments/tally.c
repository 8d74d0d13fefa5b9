/* Counts of blocks and edges; contract in tally.h. Out of memory aborts QEMU: a trace with holes would be worse. */
#include "tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory) {
    if (memory == NULL) {
        fputs("hushkit plugin: out of memory\n", stderr);
        abort();
    }
    return memory;
}

static uint32_t slot_of(const tally_map_t *map, uint64_t key) {
    uint32_t slot = (uint32_t)((key * 0x9E3779B97F4A7C15ULL) >> 32) & (map->capacity - 1U);
    while (map->keys[slot] != 0 && map->keys[slot] != key + 1U) {
        slot = (slot + 1U) & (map->capacity - 1U);
    }
    return slot;
}

static void grow(tally_map_t *map) {
    const tally_map_t old = *map;
    map->capacity = old.capacity == 0 ? 64U : old.capacity * 2U;
    map->keys = must(calloc(map->capacity, sizeof *map->keys));
    map->counts = must(calloc(map->capacity, sizeof *map->counts));
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.keys[i] != 0) {
            const uint32_t slot = slot_of(map, old.keys[i] - 1U);
            map->keys[slot] = old.keys[i];
            map->counts[slot] = old.counts[i];
        }
    }
    free(old.keys);
    free(old.counts);
}

static uint64_t *entry(tally_map_t *map, uint64_t key) {
    if (2U * (map->used + 1U) > map->capacity) {
        grow(map);
    }
    const uint32_t slot = slot_of(map, key);
    if (map->keys[slot] == 0) {
        map->keys[slot] = key + 1U;
        map->used++;
    }
    return &map->counts[slot];
}

uint32_t tally_block(tally_t *tally, uint32_t address, uint32_t n_instructions, uint32_t n_bytes) {
    uint64_t *known = entry(&tally->index, (uint64_t)address << 16 | n_instructions);
    if (*known != 0) {
        return (uint32_t)(*known - 1U);
    }
    if (tally->n_blocks == tally->room_for_blocks) {
        tally->room_for_blocks = tally->room_for_blocks == 0 ? 1024U : tally->room_for_blocks * 2U;
        tally->blocks = must(realloc(tally->blocks, tally->room_for_blocks * sizeof *tally->blocks));
    }
    tally->blocks[tally->n_blocks] = (tally_block_t){address, n_instructions, n_bytes};
    *known = ++tally->n_blocks;
    return tally->n_blocks - 1U;
}

uint32_t tally_profile(tally_t *tally, const char *name) {
    if (tally->n_profiles == tally->room_for_profiles) {
        tally->room_for_profiles = tally->room_for_profiles == 0 ? 16U : tally->room_for_profiles * 2U;
        tally->profiles = must(realloc(tally->profiles, tally->room_for_profiles * sizeof *tally->profiles));
    }
    tally_profile_t *profile = &tally->profiles[tally->n_profiles];
    memset(profile, 0, sizeof *profile);
    snprintf(profile->name, sizeof profile->name, "%s", name);
    profile->previous = TALLY_NONE;
    return tally->n_profiles++;
}

void tally_count(tally_profile_t *profile, uint32_t block) {
    ++*entry(&profile->counts, block);
    if (profile->previous != TALLY_NONE) {
        ++*entry(&profile->edges, profile->previous << 32 | block);
    }
    profile->previous = block;
}

static void map_clear(tally_map_t *map) {
    if (map->used > 0) {
        memset(map->keys, 0, map->capacity * sizeof *map->keys);
        memset(map->counts, 0, map->capacity * sizeof *map->counts);
        map->used = 0;
    }
}

void tally_clear(tally_profile_t *profile) {
    profile->executions = 0;
    profile->instructions = 0;
    profile->previous = TALLY_NONE;
    map_clear(&profile->counts);
    map_clear(&profile->edges);
}

static void write_counts(const tally_map_t *map, int is_edge, FILE *file) {
    const char *separator = "";
    for (uint32_t i = 0; i < map->capacity; i++) {
        if (map->keys[i] == 0) {
            continue;
        }
        const uint64_t key = map->keys[i] - 1U;
        if (is_edge) {
            fprintf(file, "%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", separator, key >> 32, key & UINT32_MAX,
                    map->counts[i]);
        } else {
            fprintf(file, "%s[%" PRIu64 ",%" PRIu64 "]", separator, key, map->counts[i]);
        }
        separator = ",";
    }
}

void tally_write(const tally_t *tally, FILE *file) {
    fputs("\"blocks\": [", file);
    for (uint32_t i = 0; i < tally->n_blocks; i++) {
        const tally_block_t *block = &tally->blocks[i];
        fprintf(file, "%s[%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]", i == 0 ? "" : ",", block->address,
                block->n_instructions, block->n_bytes);
    }
    fputs("],\n \"profiles\": [", file);
    for (uint32_t i = 0; i < tally->n_profiles; i++) {
        const tally_profile_t *profile = &tally->profiles[i];
        fprintf(file,
                "%s\n  {\"name\": \"%s\", \"executions\": %" PRIu64 ", \"instructions\": %" PRIu64 ", \"counts\": [",
                i == 0 ? "" : ",", profile->name, profile->executions, profile->instructions);
        write_counts(&profile->counts, 0, file);
        fputs("], \"edges\": [", file);
        write_counts(&profile->edges, 1, file);
        fputs("]}", file);
    }
    fputs("]", file);
}
