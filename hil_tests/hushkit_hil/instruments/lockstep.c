/*
 * QEMU plugin: runs the acoustic plant in lock-step with the guest's audio loop and counts what the guest executes.
 * How to start it and what it writes: trace_format.h.
 *
 * Two depths of instrumentation. Counting adds each block's instructions to one counter, inline, and costs a few
 * percent; tracing calls back per block and is used in a window only. Changing depth resets the plugin, which
 * retranslates.
 */
#include "plant.h"
#include "qemu_plugin_api.h"
#include "tally.h"
#include "trace_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { MAX_TOKENS = 1 << 20, MAX_ADDRESSES = 32, MAX_REGIONS = 65536 };

/* Tokens beside block indices. */
#define TOKEN_ISR_ENTER UINT32_MAX
#define TOKEN_ISR_EXIT  (UINT32_MAX - 1U)
#define NO_ADDRESS      UINT64_MAX

typedef struct {
    uint64_t at[MAX_ADDRESSES];
    uint32_t n;
} addresses_t;

typedef struct {
    uint64_t min, max, sum, n;
} extent_t;

typedef struct {
    uint32_t *tokens;
    uint32_t n;
    uint64_t instructions;
} path_t; /* what one exchange executed, in order */

static struct {
    /* Arguments. */
    uint64_t begin, end, stop, sync, isr, resume, resume_end;
    addresses_t foreign, foreign_ends;
    const char *trace, *ram, *plant_file, *record_file, *ready;
    uint64_t page_offset, trace_from, trace_count, pace;
    /* Counting. */
    uint64_t instructions; /* inline counter: all of each block that started */
    int depth_tracing;     /* what blocks are translated for */
    int tracing;           /* whether blocks that run are noted */
    tally_t tally;
    path_t now, worst_exchange, worst_isr;
    uint32_t isr_profile, background_profile;
    uint64_t traced, first_traced;
    int in_isr;
    uint32_t in_foreign;    /* nested handlers that are not the audio interrupt's */
    uint64_t foreign_start; /* counter when the outermost was entered */
    /* Lock-step. */
    hk_plant_t *plant;
    hk_audio_page_t *page;
    uint64_t exchange, exchange_start, isr_start, isr_instructions;
    extent_t per_exchange, per_isr;
    struct timespec pace_start;
    uint64_t pace_exchange;
    /* Regions. */
    uint32_t region;
    int in_region;
    uint64_t region_start;
    int finished, broken;
    qemu_plugin_id_t id;
} g;

EXPORT int qemu_plugin_version = HK_QEMU_PLUGIN_API;

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
static void at_exit(qemu_plugin_id_t id, void *unused);

static void fail(const char *what) {
    fprintf(stderr, "hushkit plugin: %s\n", what);
    g.broken = 1;
}

static void extent_add(extent_t *extent, uint64_t value) {
    extent->min = extent->n == 0 || value < extent->min ? value : extent->min;
    extent->max = value > extent->max ? value : extent->max;
    extent->sum += value;
    extent->n++;
}

/* ---- tokens to profiles ------------------------------------------------------------------------------------------ */

static void replay(const path_t *path, tally_profile_t *isr, tally_profile_t *background) {
    int in_isr = 0;
    for (uint32_t i = 0; i < path->n; i++) {
        const uint32_t token = path->tokens[i];
        if (token == TOKEN_ISR_ENTER) {
            in_isr = 1;
            if (isr != NULL) {
                isr->previous = TALLY_NONE;
            }
        } else if (token == TOKEN_ISR_EXIT) {
            in_isr = 0;
        } else if (in_isr && isr != NULL) {
            tally_count(isr, token);
        } else if (!in_isr && background != NULL) {
            tally_count(background, token);
        }
    }
}

static void token_add(uint32_t token) {
    if (g.now.n == MAX_TOKENS) {
        if (g.in_region) {
            replay(&g.now, NULL, &g.tally.profiles[g.tally.n_profiles - 1U]);
        } else {
            fail("one exchange executes more blocks than the trace can hold; is the guest stuck?");
        }
        g.now.n = 0;
    }
    g.now.tokens[g.now.n++] = token;
}

static void path_copy(path_t *to, const path_t *from) {
    if (to->tokens == NULL) {
        to->tokens = calloc(MAX_TOKENS, sizeof *to->tokens);
    }
    if (to->tokens == NULL) {
        fail("out of memory");
        return;
    }
    memcpy(to->tokens, from->tokens, from->n * sizeof *to->tokens);
    to->n = from->n;
}

static void close_traced_exchange(uint64_t instructions) {
    tally_profile_t *isr = &g.tally.profiles[g.isr_profile];
    tally_profile_t *background = &g.tally.profiles[g.background_profile];
    replay(&g.now, isr, background);
    isr->executions++;
    isr->instructions += g.isr_instructions;
    background->executions++;
    background->instructions += instructions - g.isr_instructions;
    if (instructions > g.worst_exchange.instructions) {
        path_copy(&g.worst_exchange, &g.now);
        g.worst_exchange.instructions = instructions;
    }
    if (g.isr_instructions > g.worst_isr.instructions) {
        path_copy(&g.worst_isr, &g.now);
        g.worst_isr.instructions = g.isr_instructions;
    }
    g.traced++;
}

static void add_worst(const char *name, const path_t *path, int isr_only) {
    tally_profile_t *profile = &g.tally.profiles[tally_profile(&g.tally, name)];
    profile->executions = 1;
    profile->instructions = path->instructions;
    replay(path, profile, isr_only ? NULL : profile);
}

/* ---- trace file -------------------------------------------------------------------------------------------------- */

static void write_extent(FILE *file, const char *name, const extent_t *extent) {
    fprintf(file, "\"%s\": {\"min\": %" PRIu64 ", \"mean\": %.6f, \"max\": %" PRIu64 "}", name, extent->min,
            extent->n == 0 ? 0.0 : (double)extent->sum / (double)extent->n, extent->max);
}

static void write_trace(int complete) {
    if (g.trace == NULL) {
        return;
    }
    FILE *file = fopen(g.trace, "w");
    if (file == NULL) {
        fprintf(stderr, "hushkit plugin: cannot write %s: %s\n", g.trace, strerror(errno));
        return;
    }
    fprintf(file, "{\"format\": \"%s\", \"version\": %d, \"mode\": \"%s\", \"complete\": %s,\n ", HK_TRACE_FORMAT,
            HK_TRACE_VERSION, g.plant != NULL ? "lockstep" : "regions", complete && !g.broken ? "true" : "false");
    if (g.plant != NULL) {
        fprintf(file,
                "\"exchanges\": {\"count\": %" PRIu64 ", \"first_traced\": %" PRIu64 ", \"traced\": %" PRIu64 ", ",
                g.per_exchange.n, g.first_traced, g.traced);
        write_extent(file, "instructions", &g.per_exchange);
        fputs(", ", file);
        write_extent(file, "isr", &g.per_isr);
        fputs("},\n ", file);
    }
    tally_write(&g.tally, file);
    fputs("}\n", file);
    fclose(file);
}

static void finish(int complete) {
    if (g.finished) {
        return;
    }
    g.finished = 1;
    g.tracing = 0;
    if (g.traced > 0) {
        add_worst("worst isr", &g.worst_isr, 1);
        add_worst("worst exchange", &g.worst_exchange, 0);
    }
    write_trace(complete);
    if (g.page != NULL) {
        g.page->stop = 1;
    }
    if (g.ready != NULL) {
        const int fd = open(g.ready, O_CREAT | O_WRONLY, 0600);
        if (fd >= 0) {
            close(fd);
        }
    }
}

/* ---- depth ------------------------------------------------------------------------------------------------------- */

static void on_reset(qemu_plugin_id_t id) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
}

static void change_depth(int tracing) {
    if (g.depth_tracing != tracing) {
        g.depth_tracing = tracing;
        qemu_plugin_reset(g.id, on_reset);
    }
}

/* Retranslation takes effect some blocks after it is asked for: ask this many exchanges ahead. */
enum { DEPTH_LEAD = 4 };

static void steer_trace(void) {
    const uint64_t until = g.trace_from + g.trace_count;
    if (g.trace_count == 0) {
        return;
    }
    if (g.exchange + DEPTH_LEAD >= g.trace_from && g.exchange < until) {
        change_depth(1);
    } else if (g.exchange >= until) {
        change_depth(0);
    }
    const int wanted = g.exchange >= g.trace_from && g.exchange < until;
    if (wanted && !g.tracing && g.traced == 0) {
        g.first_traced = g.exchange;
    }
    g.tracing = wanted;
}

/* ---- lock-step --------------------------------------------------------------------------------------------------- */

static int64_t nanoseconds_since(struct timespec start) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)(now.tv_sec - start.tv_sec) * 1000000000 + (now.tv_nsec - start.tv_nsec);
}

/* Runs on the CPU's thread, which does not hold QEMU's lock here: serial lines and timers go on while it sleeps. */
static void pace(void) {
    const hk_record_header_t *record = hk_plant_record(g.plant);
    if (g.pace_exchange == 0) {
        clock_gettime(CLOCK_MONOTONIC, &g.pace_start);
    }
    const int64_t due = (int64_t)(g.pace_exchange * record->block * 1000000000ULL / record->rate_hz);
    const int64_t ahead = due - nanoseconds_since(g.pace_start);
    g.pace_exchange++;
    if (ahead > 1000000) { /* sleep 1 ms at a time: one sleep per sample would cost more than the sample */
        const struct timespec nap = {0, ahead > 10000000 ? 10000000 : ahead};
        nanosleep(&nap, NULL);
    } else if (ahead < -200000000) { /* 0.2 s late: the machine is too slow or was asleep; do not run after lost time */
        g.pace_exchange = 0;
    }
}

static void close_exchange(uint64_t now) {
    const uint64_t instructions = now - g.exchange_start;
    extent_add(&g.per_exchange, instructions);
    if (g.tracing) {
        close_traced_exchange(instructions);
    }
    hk_plant_note_instructions(g.plant, g.exchange - 1U < UINT32_MAX ? (uint32_t)(g.exchange - 1U) : UINT32_MAX,
                               (uint32_t)instructions, (uint32_t)g.isr_instructions);
}

static void on_sync(unsigned int cpu, void *rest) {
    (void)cpu;
    if (g.finished) {
        return;
    }
    const uint64_t now = g.instructions - (uintptr_t)rest;
    uint32_t kept = TOKEN_ISR_EXIT;
    if (g.now.n > 0) {
        kept = g.now.tokens[--g.now.n]; /* the block that begins here belongs to the exchange that begins here */
    }
    if (g.exchange > 0) {
        close_exchange(now);
    }
    const hk_plant_state_t state = hk_plant_exchange(g.plant, g.page);
    if (state != HK_PLANT_RUNNING) {
        finish(state == HK_PLANT_DONE);
        return;
    }
    steer_trace();
    g.now.n = 0;
    if (g.tracing && kept != TOKEN_ISR_EXIT) {
        token_add(kept);
    }
    g.exchange++;
    g.exchange_start = now;
    g.isr_instructions = 0;
    if (g.pace) {
        pace();
    }
}

/* The block that begins at a marker is noted before the marker's callback runs: it belongs behind the marker. */
static void insert_marker(uint32_t marker) {
    if (g.tracing && g.now.n > 0) {
        const uint32_t block = g.now.tokens[--g.now.n];
        token_add(marker);
        token_add(block);
    }
}

static void on_isr_enter(unsigned int cpu, void *rest) {
    (void)cpu;
    if (g.in_isr) {
        fail("the audio interrupt was entered again before it returned");
    }
    g.in_isr = 1;
    g.isr_start = g.instructions - (uintptr_t)rest;
    insert_marker(TOKEN_ISR_ENTER);
}

/* The code that pended the interrupt goes on: the interrupt has returned. */
static void on_resume(unsigned int cpu, void *rest) {
    (void)cpu;
    if (!g.in_isr) {
        return;
    }
    g.in_isr = 0;
    const uint64_t spent = g.instructions - (uintptr_t)rest - g.isr_start;
    g.isr_instructions += spent;
    if (g.exchange > 0) {
        extent_add(&g.per_isr, spent);
    }
    insert_marker(TOKEN_ISR_EXIT);
}

/* Ticks and serial lines follow the wall clock, so what their handlers execute is left out: the rest is repeatable. */
static void on_foreign_enter(unsigned int cpu, void *rest) {
    (void)cpu;
    if (g.in_foreign++ > 0) {
        return;
    }
    g.foreign_start = g.instructions - (uintptr_t)rest;
    if (g.now.n > 0) {
        g.now.n--; /* the handler's first block */
    }
}

static void on_foreign_end(unsigned int cpu, void *rest) {
    (void)cpu;
    if (g.in_foreign == 0 || --g.in_foreign > 0) {
        return;
    }
    const uint64_t after = g.instructions - (uintptr_t)rest + 1U; /* the return itself included */
    g.instructions -= after - g.foreign_start;
}

/* ---- regions ----------------------------------------------------------------------------------------------------- */

static void on_begin(unsigned int cpu, void *rest) {
    (void)cpu;
    if (g.in_region || g.region == MAX_REGIONS) {
        fail(g.in_region ? "a region began before the one before it ended" : "too many regions");
        return;
    }
    char name[24];
    snprintf(name, sizeof name, "region %" PRIu32, g.region++);
    tally_profile(&g.tally, name);
    g.in_region = 1;
    g.region_start = g.instructions - (uintptr_t)rest;
    /* With the marker at a block's start, that block is already noted; keep it. */
    const uint32_t last = g.now.n > 0 ? g.now.tokens[g.now.n - 1U] : TOKEN_ISR_EXIT;
    g.now.n = 0;
    if (last != TOKEN_ISR_EXIT) {
        token_add(last);
    }
    g.tracing = 1;
}

static void on_end(unsigned int cpu, void *rest) {
    (void)cpu;
    if (!g.in_region) {
        return;
    }
    g.in_region = 0;
    g.tracing = 0;
    tally_profile_t *profile = &g.tally.profiles[g.tally.n_profiles - 1U];
    const uint32_t block = g.now.n > 0 ? g.now.tokens[g.now.n - 1U] : 0U;
    if (g.now.n > 0 && (uintptr_t)rest == g.tally.blocks[block].n_instructions) {
        g.now.n--; /* the marker starts a block: that block is outside */
    }
    replay(&g.now, NULL, profile);
    profile->executions = 1;
    profile->instructions = g.instructions - (uintptr_t)rest - g.region_start;
    g.now.n = 0;
}

static void on_stop(unsigned int cpu, void *unused) {
    (void)cpu;
    (void)unused;
    finish(g.region > 0 && !g.in_region);
}

/* ---- translation ------------------------------------------------------------------------------------------------- */

static void on_block(unsigned int cpu, void *index) {
    (void)cpu;
    if (g.in_foreign) {
        return;
    }
    if (g.tracing) {
        token_add((uint32_t)(uintptr_t)index);
    } else { /* remembered for a region or an exchange that begins in it */
        g.now.tokens[0] = (uint32_t)(uintptr_t)index;
        g.now.n = 1;
    }
}

static void hook(struct qemu_plugin_insn *insn, uint64_t at, qemu_plugin_vcpu_udata_cb_t callback, size_t rest) {
    if (at != NO_ADDRESS && qemu_plugin_insn_vaddr(insn) == at) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, callback, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)rest);
    }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    const size_t n = qemu_plugin_tb_n_insns(tb);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &g.instructions, n);
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        bytes += qemu_plugin_insn_size(insn);
        hook(insn, g.sync, on_sync, n - i);
        hook(insn, g.isr, on_isr_enter, n - i);
        hook(insn, g.begin, on_begin, n - i);
        hook(insn, g.end, on_end, n - i);
        hook(insn, g.stop, on_stop, n - i);
        if (qemu_plugin_insn_vaddr(insn) >= g.resume && qemu_plugin_insn_vaddr(insn) < g.resume_end) {
            hook(insn, qemu_plugin_insn_vaddr(insn), on_resume, n - i);
        }
        for (uint32_t k = 0; k < g.foreign.n; k++) {
            hook(insn, g.foreign.at[k], on_foreign_enter, n - i);
        }
        for (uint32_t k = 0; k < g.foreign_ends.n; k++) {
            hook(insn, g.foreign_ends.at[k], on_foreign_end, n - i);
        }
    }
    if (g.depth_tracing) {
        const uint32_t block = tally_block(&g.tally, (uint32_t)qemu_plugin_tb_vaddr(tb), (uint32_t)n, (uint32_t)bytes);
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)block);
    }
}

static void at_exit(qemu_plugin_id_t id, void *unused) {
    (void)id;
    (void)unused;
    finish(g.plant == NULL && g.region > 0 && !g.in_region);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void parse_addresses(addresses_t *list, const char *text) {
    char *after = NULL;
    for (; *text != '\0'; text = *after == '+' ? after + 1 : after) {
        const uint64_t address = strtoull(text, &after, 0);
        if (after == text || list->n == MAX_ADDRESSES) {
            fail("expected up to 32 addresses joined by +");
            return;
        }
        list->at[list->n++] = address;
    }
}

static int parse(const char *argument) {
    const char *value = strchr(argument, '=');
    if (value == NULL) {
        return 0;
    }
    const size_t n = (size_t)(value++ - argument);
    const struct {
        const char *name;
        uint64_t *number;
        const char **text;
        addresses_t *list;
    } known[] = {
        {"begin", &g.begin, NULL, NULL},
        {"end", &g.end, NULL, NULL},
        {"stop", &g.stop, NULL, NULL},
        {"sync", &g.sync, NULL, NULL},
        {"isr", &g.isr, NULL, NULL},
        {"resume", &g.resume, NULL, NULL},
        {"resume_end", &g.resume_end, NULL, NULL},
        {"foreign", NULL, NULL, &g.foreign},
        {"foreign_end", NULL, NULL, &g.foreign_ends},
        {"page", &g.page_offset, NULL, NULL},
        {"pace", &g.pace, NULL, NULL},
        {"trace_from", &g.trace_from, NULL, NULL},
        {"trace_count", &g.trace_count, NULL, NULL},
        {"trace", NULL, &g.trace, NULL},
        {"ram", NULL, &g.ram, NULL},
        {"plant", NULL, &g.plant_file, NULL},
        {"record", NULL, &g.record_file, NULL},
        {"ready", NULL, &g.ready, NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == n && strncmp(argument, known[i].name, n) == 0) {
            if (known[i].number != NULL) {
                *known[i].number = strtoull(value, NULL, 0);
            } else if (known[i].text != NULL) {
                *known[i].text = strdup(value);
            } else {
                parse_addresses(known[i].list, value);
            }
            return 1;
        }
    }
    return 0;
}

static int attach(void) {
    const char *why = "sync, ram, plant and record go together";
    if (g.ram != NULL && g.plant_file != NULL && g.record_file != NULL) {
        g.plant = hk_plant_open(g.plant_file, g.record_file, &why);
    }
    const int fd = g.plant == NULL ? -1 : open(g.ram, O_RDWR);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)g.page_offset);
    if (map == MAP_FAILED) {
        fail(g.plant == NULL ? why : "the machine's RAM file cannot be mapped at the audio page");
        return 0;
    }
    close(fd);
    g.page = map;
    memset(g.page, 0, sizeof *g.page);
    g.page->abi = HK_AUDIO_PAGE_ABI;
    g.page->magic = HK_AUDIO_PAGE_MAGIC;
    g.isr_profile = tally_profile(&g.tally, "isr");
    g.background_profile = tally_profile(&g.tally, "background");
    return 1;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    g.begin = g.end = g.stop = g.sync = g.isr = NO_ADDRESS;
    g.id = id;
    if (!info->system_emulation || strcmp(info->target_name, "arm") != 0) {
        fail("works in qemu-system-arm only");
        return 1;
    }
    for (int i = 0; i < argc; i++) {
        if (!parse(argv[i])) {
            fprintf(stderr, "hushkit plugin: unknown argument %s; see trace_format.h\n", argv[i]);
            return 1;
        }
    }
    g.now.tokens = calloc(MAX_TOKENS, sizeof *g.now.tokens);
    if (g.now.tokens == NULL || g.broken || (g.sync == NO_ADDRESS && g.begin == NO_ADDRESS)) {
        fail("needs sync=ADDR or begin=ADDR,end=ADDR");
        return 1;
    }
    if (g.sync != NO_ADDRESS && !attach()) {
        return 1;
    }
    g.depth_tracing = g.begin != NO_ADDRESS || (g.trace_count > 0 && g.trace_from <= DEPTH_LEAD);
    on_reset(id);
    return 0;
}
