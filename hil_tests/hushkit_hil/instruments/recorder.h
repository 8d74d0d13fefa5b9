/**
 * @file  recorder.h
 * @brief What runs, block by block, as a path; and what becomes of a path: counts, edges, the worst ones.
 *
 * Noting a block costs one store; counting happens when an exchange or a region ends.
 */
#ifndef HUSHKIT_RECORDER_H
#define HUSHKIT_RECORDER_H

#include "tally.h"
#include <stdint.h>
#include <stdio.h>

/* Tokens of a path beside block indices. */
#define TOKEN_ISR_ENTER UINT32_MAX
#define TOKEN_ISR_EXIT  (UINT32_MAX - 1U)
#define TOKEN_NONE      (UINT32_MAX - 2U)

typedef struct {
    uint64_t min, max, sum, n;
} extent_t;

typedef struct {
    uint32_t *tokens;
    uint32_t n;
    uint64_t instructions;
} path_t;

typedef struct {
    int noting; /* whether blocks that run are noted; else only the latest is remembered */
    int broken; /* the trace has a hole and must not count as complete */
    tally_t tally;
    path_t now, worst_exchange, worst_isr;
    uint32_t isr_profile, background_profile, n_regions;
    uint64_t traced, first_traced;
    int in_region;
} recorder_t;

/** Allocate. @return 0 without memory. */
int recorder_open(recorder_t *recorder);

/** Make the two profiles of lock-step mode. */
void recorder_open_contexts(recorder_t *recorder);

/** A block started. */
void recorder_block(recorder_t *recorder, uint32_t block);

/** Forget the latest block and return it; TOKEN_NONE when there is none. */
uint32_t recorder_take(recorder_t *recorder);

/** Put a marker in front of the latest block: a block that begins at a marked instruction is noted before the marker.
 */
void recorder_mark(recorder_t *recorder, uint32_t marker);

/** An exchange begins with a block that has been taken, or TOKEN_NONE. */
void recorder_begin_exchange(recorder_t *recorder, uint32_t first_block);

/** It ended. */
void recorder_end_exchange(recorder_t *recorder, uint64_t instructions, uint64_t isr_instructions);

/** A region begins with the latest block. @return 0 when one is open already, or too many were. */
int recorder_begin_region(recorder_t *recorder);

/** It ended; instructions_left: of the latest block, from the marker on. */
void recorder_end_region(recorder_t *recorder, uint64_t instructions, uint64_t instructions_left);

/** No more: add the profiles of the worst paths. */
void recorder_close(recorder_t *recorder);

/** Note a value. */
void extent_add(extent_t *extent, uint64_t value);

/** "name": {"min": .., "mean": .., "max": ..} */
void extent_write(const extent_t *extent, const char *name, FILE *file);

#endif /* HUSHKIT_RECORDER_H */
