/* Paths, and what becomes of them; contract in recorder.h. */
#include "recorder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TOKENS = 1 << 20, MAX_REGIONS = 65536 };

static void fail(recorder_t *recorder, const char *what) {
    fprintf(stderr, "hushkit plugin: %s\n", what);
    recorder->broken = 1;
}

/* isr and background may be the same profile, or null where a context does not count. */
static void replay(const path_t *path, tally_profile_t *isr, tally_profile_t *background) {
    int in_isr = 0;
    for (uint32_t i = 0; i < path->n; i++) {
        const uint32_t token = path->tokens[i];
        if (token == TOKEN_ISR_ENTER || token == TOKEN_ISR_EXIT) {
            in_isr = token == TOKEN_ISR_ENTER;
            if (isr != NULL) {
                isr->previous = TALLY_NONE; /* entering and leaving an interrupt are no branches */
            }
        } else if (in_isr && isr != NULL) {
            tally_count(isr, token);
        } else if (!in_isr && background != NULL) {
            tally_count(background, token);
        }
    }
}

static void note(recorder_t *recorder, uint32_t token) {
    path_t *now = &recorder->now;
    if (now->n == MAX_TOKENS) {
        if (recorder->in_region) {
            replay(now, NULL, &recorder->tally.profiles[recorder->tally.n_profiles - 1U]);
        } else {
            fail(recorder, "one exchange executes more blocks than the trace can hold; is the guest stuck?");
        }
        now->n = 0;
    }
    now->tokens[now->n++] = token;
}

int recorder_open(recorder_t *recorder) {
    path_t *paths[] = {&recorder->now, &recorder->worst_exchange, &recorder->worst_isr};
    for (uint32_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        paths[i]->tokens = calloc(MAX_TOKENS, sizeof *paths[i]->tokens);
        if (paths[i]->tokens == NULL) {
            return 0;
        }
    }
    return 1;
}

void recorder_open_contexts(recorder_t *recorder) {
    recorder->isr_profile = tally_profile(&recorder->tally, "isr");
    recorder->background_profile = tally_profile(&recorder->tally, "background");
}

void recorder_block(recorder_t *recorder, uint32_t block) {
    if (!recorder->noting) {
        recorder->now.n = 0;
    }
    note(recorder, block);
}

uint32_t recorder_take(recorder_t *recorder) {
    return recorder->now.n > 0 ? recorder->now.tokens[--recorder->now.n] : TOKEN_NONE;
}

void recorder_mark(recorder_t *recorder, uint32_t marker) {
    const uint32_t block = recorder_take(recorder);
    if (recorder->noting) {
        note(recorder, marker);
    }
    if (block != TOKEN_NONE) {
        note(recorder, block);
    }
}

void recorder_begin_exchange(recorder_t *recorder, uint32_t first_block) {
    recorder->now.n = 0;
    if (recorder->noting && first_block != TOKEN_NONE) {
        note(recorder, first_block);
    }
}

static void keep_worst(path_t *worst, const path_t *now, uint64_t instructions) {
    if (instructions > worst->instructions) {
        memcpy(worst->tokens, now->tokens, now->n * sizeof *now->tokens);
        worst->n = now->n;
        worst->instructions = instructions;
    }
}

void recorder_end_exchange(recorder_t *recorder, uint64_t instructions, uint64_t isr_instructions) {
    tally_profile_t *isr = &recorder->tally.profiles[recorder->isr_profile];
    tally_profile_t *background = &recorder->tally.profiles[recorder->background_profile];
    replay(&recorder->now, isr, background);
    isr->executions++;
    isr->instructions += isr_instructions;
    background->executions++;
    background->instructions += instructions - isr_instructions;
    keep_worst(&recorder->worst_exchange, &recorder->now, instructions);
    keep_worst(&recorder->worst_isr, &recorder->now, isr_instructions);
    recorder->traced++;
}

int recorder_begin_region(recorder_t *recorder) {
    if (recorder->in_region || recorder->n_regions == MAX_REGIONS) {
        fail(recorder, recorder->in_region ? "a region began before the one before it ended" : "too many regions");
        return 0;
    }
    char name[24];
    snprintf(name, sizeof name, "region %" PRIu32, recorder->n_regions++);
    tally_profile(&recorder->tally, name);
    const uint32_t first_block = recorder_take(recorder);
    recorder->in_region = 1;
    recorder->noting = 1;
    recorder_begin_exchange(recorder, first_block);
    return 1;
}

void recorder_end_region(recorder_t *recorder, uint64_t instructions, uint64_t instructions_left) {
    tally_profile_t *profile = &recorder->tally.profiles[recorder->tally.n_profiles - 1U];
    const uint32_t last = recorder_take(recorder);
    if (last != TOKEN_NONE && instructions_left < recorder->tally.blocks[last].n_instructions) {
        note(recorder, last); /* the marker lies within it; a block that starts at the marker is outside */
    }
    replay(&recorder->now, NULL, profile);
    profile->executions = 1;
    profile->instructions = instructions;
    recorder->in_region = 0;
    recorder->noting = 0;
    recorder->now.n = 0;
}

static void add_worst(recorder_t *recorder, const char *name, const path_t *path, int isr_only) {
    tally_profile_t *profile = &recorder->tally.profiles[tally_profile(&recorder->tally, name)];
    profile->executions = 1;
    profile->instructions = path->instructions;
    replay(path, profile, isr_only ? NULL : profile);
}

void recorder_close(recorder_t *recorder) {
    recorder->noting = 0;
    if (recorder->traced > 0) {
        add_worst(recorder, "worst isr", &recorder->worst_isr, 1);
        add_worst(recorder, "worst exchange", &recorder->worst_exchange, 0);
    }
}

void extent_add(extent_t *extent, uint64_t value) {
    extent->min = extent->n == 0 || value < extent->min ? value : extent->min;
    extent->max = value > extent->max ? value : extent->max;
    extent->sum += value;
    extent->n++;
}

void extent_write(const extent_t *extent, const char *name, FILE *file) {
    fprintf(file, "\"%s\": {\"min\": %" PRIu64 ", \"mean\": %.6f, \"max\": %" PRIu64 "}", name, extent->min,
            extent->n == 0 ? 0.0 : (double)extent->sum / (double)extent->n, extent->max);
}
