/**
 * @file  tally.h
 * @brief Counts of blocks and edges per profile, and the trace file they end in (trace_format.h).
 */
#ifndef HUSHKIT_TALLY_H
#define HUSHKIT_TALLY_H

#include <stdint.h>
#include <stdio.h>

typedef struct {
    uint64_t *keys; /* key + 1; 0: free */
    uint64_t *counts;
    uint32_t capacity; /* a power of two */
    uint32_t used;
} tally_map_t;

typedef struct {
    uint32_t address;
    uint32_t n_instructions;
    uint32_t n_bytes;
} tally_block_t;

typedef struct {
    char name[24];
    uint64_t executions;
    uint64_t instructions;
    tally_map_t counts; /* by block */
    tally_map_t edges;  /* by from << 32 | to */
    uint64_t previous;  /* last block, or TALLY_NONE */
} tally_profile_t;

typedef struct {
    tally_block_t *blocks;
    uint32_t n_blocks, room_for_blocks;
    tally_map_t index; /* address << 16 | n_instructions -> block */
    tally_profile_t *profiles;
    uint32_t n_profiles, room_for_profiles;
} tally_t;

#define TALLY_NONE UINT64_MAX

/** Index of a block, entered when new. */
uint32_t tally_block(tally_t *tally, uint32_t address, uint32_t n_instructions, uint32_t n_bytes);

/** A new, empty profile; its index (pointers move as profiles are added). */
uint32_t tally_profile(tally_t *tally, const char *name);

/** Count one execution of a block and the edge to it. */
void tally_count(tally_profile_t *profile, uint32_t block);

/** Empty a profile's counts, keep its name. */
void tally_clear(tally_profile_t *profile);

/** The "blocks" and "profiles" members of the trace object, separated by a comma. */
void tally_write(const tally_t *tally, FILE *file);

#endif /* HUSHKIT_TALLY_H */
