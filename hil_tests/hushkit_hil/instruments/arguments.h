/**
 * @file  arguments.h
 * @brief The plugin's arguments, key=value each (trace_format.h says what they mean).
 */
#ifndef HUSHKIT_ARGUMENTS_H
#define HUSHKIT_ARGUMENTS_H

#include <stdint.h>

#define NO_ADDRESS UINT64_MAX

enum { MAX_ADDRESSES = 32 };

typedef struct {
    uint64_t at[MAX_ADDRESSES];
    uint32_t n;
} addresses_t;

typedef struct {
    uint64_t begin, end, stop, sync, isr, resume, resume_end; /* NO_ADDRESS where not given */
    addresses_t foreign, foreign_ends;
    const char *trace, *ram, *plant, *record, *ready;
    uint64_t page_offset, trace_from, trace_count, pace;
} arguments_t;

/** Read all arguments. @return 0 when one is unknown or malformed; standard error says which. */
int arguments_read(arguments_t *arguments, int argc, char **argv);

#endif /* HUSHKIT_ARGUMENTS_H */
