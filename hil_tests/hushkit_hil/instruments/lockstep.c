/*
 * QEMU plugin: runs the acoustic plant in lock-step with the guest's audio loop and counts what the guest executes.
 * How to start it and what it writes: trace_format.h.
 *
 * Two depths of instrumentation. Counting adds each block's instructions to one counter, inline, and costs a few
 * percent; tracing calls back per block and is used in a window only. Changing depth resets the plugin, which
 * retranslates.
 */
#include "arguments.h"
#include "plant.h"
#include "qemu_plugin_api.h"
#include "recorder.h"
#include "trace_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static struct {
    arguments_t args;
    recorder_t recorder;
    uint64_t instructions; /* inline counter: all of each block that started */
    int depth_tracing;     /* what blocks are translated for */
    int in_isr;
    uint32_t in_foreign;    /* nested handlers that are not the audio interrupt's */
    uint64_t foreign_start; /* counter when the outermost was entered */
    hk_plant_t *plant;
    hk_audio_page_t *page;
    uint64_t exchange, exchange_start, isr_start, isr_instructions, region_start;
    extent_t per_exchange, per_isr;
    struct timespec pace_start;
    uint64_t pace_exchange;
    int finished;
    qemu_plugin_id_t id;
} g;

EXPORT int qemu_plugin_version = HK_QEMU_PLUGIN_API;

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
static void at_exit(qemu_plugin_id_t id, void *unused);

static void fail(const char *what) {
    fprintf(stderr, "hushkit plugin: %s\n", what);
    g.recorder.broken = 1;
}

/* ---- end --------------------------------------------------------------------------------------------------------- */

static void write_trace(int complete) {
    if (g.args.trace == NULL) {
        return;
    }
    FILE *file = fopen(g.args.trace, "w");
    if (file == NULL) {
        fprintf(stderr, "hushkit plugin: cannot write %s: %s\n", g.args.trace, strerror(errno));
        return;
    }
    fprintf(file, "{\"format\": \"%s\", \"version\": %d, \"mode\": \"%s\", \"complete\": %s,\n ", HK_TRACE_FORMAT,
            HK_TRACE_VERSION, g.plant != NULL ? "lockstep" : "regions",
            complete && !g.recorder.broken ? "true" : "false");
    if (g.plant != NULL) {
        fprintf(file,
                "\"exchanges\": {\"count\": %" PRIu64 ", \"first_traced\": %" PRIu64 ", \"traced\": %" PRIu64 ", ",
                g.per_exchange.n, g.recorder.first_traced, g.recorder.traced);
        extent_write(&g.per_exchange, "instructions", file);
        fputs(", ", file);
        extent_write(&g.per_isr, "isr", file);
        fputs("},\n ", file);
    }
    tally_write(&g.recorder.tally, file);
    fputs("}\n", file);
    fclose(file);
}

static void finish(int complete) {
    if (g.finished) {
        return;
    }
    g.finished = 1;
    recorder_close(&g.recorder);
    write_trace(complete);
    if (g.page != NULL) {
        g.page->stop = 1;
    }
    if (g.args.ready != NULL) {
        const int fd = open(g.args.ready, O_CREAT | O_WRONLY, 0600);
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
    const uint64_t until = g.args.trace_from + g.args.trace_count;
    if (g.args.trace_count == 0) {
        return;
    }
    if (g.exchange + DEPTH_LEAD >= g.args.trace_from && g.exchange < until) {
        change_depth(1);
    } else if (g.exchange >= until) {
        change_depth(0);
    }
    const int wanted = g.exchange >= g.args.trace_from && g.exchange < until;
    if (wanted && !g.recorder.noting && g.recorder.traced == 0) {
        g.recorder.first_traced = g.exchange;
    }
    g.recorder.noting = wanted;
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
    if (g.recorder.noting) {
        recorder_end_exchange(&g.recorder, instructions, g.isr_instructions);
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
    const uint32_t first_block = recorder_take(&g.recorder); /* it begins here, so it belongs to what begins here */
    if (g.exchange > 0) {
        close_exchange(now);
    }
    const hk_plant_state_t state = hk_plant_exchange(g.plant, g.page);
    if (state != HK_PLANT_RUNNING) {
        finish(state == HK_PLANT_DONE);
        return;
    }
    steer_trace();
    recorder_begin_exchange(&g.recorder, first_block);
    g.exchange++;
    g.exchange_start = now;
    g.isr_instructions = 0;
    if (g.args.pace) {
        pace();
    }
}

static void on_isr_enter(unsigned int cpu, void *rest) {
    (void)cpu;
    if (g.in_isr) {
        fail("the audio interrupt was entered again before it returned");
    }
    g.in_isr = 1;
    g.isr_start = g.instructions - (uintptr_t)rest;
    recorder_mark(&g.recorder, TOKEN_ISR_ENTER);
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
    recorder_mark(&g.recorder, TOKEN_ISR_EXIT);
}

/* Ticks and serial lines follow the wall clock, so what their handlers execute is left out: the rest is repeatable. */
static void on_foreign_enter(unsigned int cpu, void *rest) {
    (void)cpu;
    if (g.in_foreign++ > 0) {
        return;
    }
    g.foreign_start = g.instructions - (uintptr_t)rest;
    (void)recorder_take(&g.recorder); /* the handler's first block */
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
    if (recorder_begin_region(&g.recorder)) {
        g.region_start = g.instructions - (uintptr_t)rest;
    }
}

static void on_end(unsigned int cpu, void *rest) {
    (void)cpu;
    if (g.recorder.in_region) {
        recorder_end_region(&g.recorder, g.instructions - (uintptr_t)rest - g.region_start, (uintptr_t)rest);
    }
}

static int regions_complete(void) {
    return g.plant == NULL && g.recorder.n_regions > 0 && !g.recorder.in_region;
}

static void on_stop(unsigned int cpu, void *unused) {
    (void)cpu;
    (void)unused;
    finish(regions_complete());
}

/* ---- translation ------------------------------------------------------------------------------------------------- */

static void on_block(unsigned int cpu, void *index) {
    (void)cpu;
    if (!g.in_foreign) {
        recorder_block(&g.recorder, (uint32_t)(uintptr_t)index);
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
        hook(insn, g.args.sync, on_sync, n - i);
        hook(insn, g.args.isr, on_isr_enter, n - i);
        hook(insn, g.args.begin, on_begin, n - i);
        hook(insn, g.args.end, on_end, n - i);
        hook(insn, g.args.stop, on_stop, n - i);
        if (qemu_plugin_insn_vaddr(insn) >= g.args.resume && qemu_plugin_insn_vaddr(insn) < g.args.resume_end) {
            hook(insn, qemu_plugin_insn_vaddr(insn), on_resume, n - i);
        }
        for (uint32_t k = 0; k < g.args.foreign.n; k++) {
            hook(insn, g.args.foreign.at[k], on_foreign_enter, n - i);
        }
        for (uint32_t k = 0; k < g.args.foreign_ends.n; k++) {
            hook(insn, g.args.foreign_ends.at[k], on_foreign_end, n - i);
        }
    }
    if (g.depth_tracing) {
        const uint32_t block =
            tally_block(&g.recorder.tally, (uint32_t)qemu_plugin_tb_vaddr(tb), (uint32_t)n, (uint32_t)bytes);
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)block);
    }
}

static void at_exit(qemu_plugin_id_t id, void *unused) {
    (void)id;
    (void)unused;
    finish(regions_complete());
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static int attach(void) {
    const char *why = "sync, ram, plant and record go together";
    if (g.args.ram != NULL && g.args.plant != NULL && g.args.record != NULL) {
        g.plant = hk_plant_open(g.args.plant, g.args.record, &why);
    }
    const int fd = g.plant == NULL ? -1 : open(g.args.ram, O_RDWR);
    void *map =
        fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)g.args.page_offset);
    if (map == MAP_FAILED) {
        fail(g.plant == NULL ? why : "the machine's RAM file cannot be mapped at the audio page");
        return 0;
    }
    close(fd);
    g.page = map;
    memset(g.page, 0, sizeof *g.page);
    g.page->abi = HK_AUDIO_PAGE_ABI;
    g.page->magic = HK_AUDIO_PAGE_MAGIC;
    recorder_open_contexts(&g.recorder);
    return 1;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    g.id = id;
    if (!info->system_emulation || strcmp(info->target_name, "arm") != 0) {
        fail("works in qemu-system-arm only");
        return 1;
    }
    if (!arguments_read(&g.args, argc, argv) || !recorder_open(&g.recorder)) {
        return 1;
    }
    if (g.args.sync == NO_ADDRESS && (g.args.begin == NO_ADDRESS || g.args.end == NO_ADDRESS)) {
        fail("needs sync=ADDR, or begin=ADDR and end=ADDR");
        return 1;
    }
    if (g.args.sync != NO_ADDRESS && !attach()) {
        return 1;
    }
    g.depth_tracing = g.args.begin != NO_ADDRESS || (g.args.trace_count > 0 && g.args.trace_from <= DEPTH_LEAD);
    on_reset(id);
    return 0;
}
