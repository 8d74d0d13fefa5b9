/**
 * @file  hk_app.c
 * @brief The headset: audio interrupt, exchange, configuration, statistics.
 */
#include "hk/hk_app.h"

#include "hk/hk_category.h"   /* hk_category_settings_apply */
#include "hk/hk_classifier.h" /* hk_classifier_init */
#include "hk/hk_fixed.h"      /* HK_GAIN_UNITY_Q30 */
#include "hk/hk_kernels.h"    /* hk_kernels_reset */
#include "hk/hk_level.h"      /* hk_level_cdb */
#include "hk/hk_port.h"       /* hk_port_* */
#include "hk_audio.h"
#include "hk_jobs.h"
#include <stdatomic.h> /* atomic_signal_fence */
#include <string.h>    /* memcpy, memset */

_Static_assert(HK_CONFIG_EARS >= 1 && HK_CONFIG_EARS <= HK_AUDIO_PAGE_MAX_EARS, "the audio page has two ears");
_Static_assert(HK_CONFIG_BLOCK >= 1 && HK_CONFIG_BLOCK <= HK_AUDIO_PAGE_MAX_BLOCK, "the audio page has eight samples");

/* Set in the thread, taken by the interrupt. The thread takes `fresh` back before it writes. */
static struct {
    hk_configuration_t set; /* the operator's, as the noise category changes it */
    volatile bool fresh;
} wanted;

/* The interrupt's. */
static struct {
    const hk_control_ops_t *ops;
    hk_configuration_t acting;
    hk_audio_request_t request; /* of `acting` */
    bool muted[HK_CONFIG_EARS]; /* as last aimed */
    hk_audio_ear_t ears[HK_CONFIG_EARS];
    uint32_t fill; /* samples in the current update block */
    uint64_t samples;
    uint64_t blocks;
    uint64_t cycles; /* in all interrupts since start */
    uint64_t window_start_cycles;
    uint64_t window_cycles; /* of the last whole window */
    uint32_t window_blocks;
    uint32_t cycles_max;
    bool windowed; /* a whole window has passed */
} audio;

/* The thread's. */
static struct {
    hk_configuration_t operators;           /* what an operator set */
    const hk_category_settings_t *category; /* what the noise makes of it */
    bool emergency;                         /* outside sound has to get through */
    uint32_t bench_category;                /* last seen on the page */
    uint32_t slices_per_exchange;
    uint64_t cycles;              /* in background slices, interrupts taken out */
    uint64_t window_start_cycles; /* `cycles` at the first statistics of a window */
    uint64_t window_start_block;
    uint32_t load_permille;
    bool has_cycles;
} work;

/* ---- start ------------------------------------------------------------------------------------------------------- */

static hk_status_t check_design(const hk_design_t *design) {
    if (design->abi != HK_DESIGN_ABI || design->n_ears != HK_CONFIG_EARS || design->block != HK_CONFIG_BLOCK ||
        design->rate_hz != HK_CONFIG_RATE_HZ || design->algorithm != HK_CONFIG_ALGORITHM ||
        design->update_block != HK_CONFIG_UPDATE_BLOCK || design->secondary.n_taps != HK_CONFIG_SECONDARY_TAPS) {
        return HK_ERR_ABI;
    }
    if (design->settings == 0 || design->n_settings == 0U || design->settings_of_category == 0) {
        return HK_ERR_ABI;
    }
    if (design->limiter_threshold_q31 <= 0 || design->limiter_release_q31 <= 0 || design->watch_ratio_q16 <= 0 ||
        design->dc_block_pole_q31 < 0 || design->start_mode > HK_MODE_TRANSPARENCY) {
        return HK_ERR_RANGE;
    }
    return HK_OK;
}

hk_status_t hk_app_init(void) {
    hk_status_t status = check_design(&hk_design);
    if (status != HK_OK) {
        return status;
    }
    memset(&wanted, 0, sizeof wanted);
    memset(&audio, 0, sizeof audio);
    memset(&work, 0, sizeof work);
    audio.ops = hk_control_ops();
    status = audio.ops->init(&hk_design);
    if (status != HK_OK) {
        return status;
    }
    work.operators.mode = hk_design.start_mode;
    work.operators.intensity = HK_INTENSITY_MAX;
    work.operators.telemetry_period_ms = 1000U;
    audio.acting.mode = HK_MODE_OFF;
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        hk_kernels_reset(i);
        hk_audio_init(&audio.ears[i], &hk_design);
    }
    hk_jobs_init(&hk_design, audio.ops);
    if (hk_category_settings_apply(HK_CATEGORY_UNKNOWN) != HK_OK) {
        return HK_ERR_ABI;
    }
#if HK_CONFIG_CLASSIFIER
    hk_classifier_init();
#endif
    const uint32_t exchanges = HK_CONFIG_UPDATE_BLOCK / HK_CONFIG_BLOCK;
    work.slices_per_exchange = (hk_jobs_slices() + exchanges - 1U) / exchanges;
    work.has_cycles = hk_port_cycles_available();
    hk_audio_page_t *page = hk_port_audio_page();
    page->n_ears = HK_CONFIG_EARS;
    page->block = HK_CONFIG_BLOCK;
    page->rate_hz = HK_CONFIG_RATE_HZ;
    page->sequence = 0U;
    page->ready = 0U;
    memcpy(&page->build_id, hk_build_id, sizeof page->build_id);
    memset(page->out, 0, sizeof page->out);
    return HK_OK;
}

/* ---- audio interrupt --------------------------------------------------------------------------------------------- */

static bool wants_anti(void) {
    return audio.acting.mode == HK_MODE_ANC && audio.acting.intensity > 0U;
}

/* Aim the gains, where the configuration or an ear's muting has changed since the last block. */
static void aim(void) {
    const bool fresh = wanted.fresh;
    if (fresh) {
        atomic_signal_fence(memory_order_acquire);
        audio.acting = wanted.set;
        wanted.fresh = false;
        const int64_t intensity_q30 = ((int64_t)HK_GAIN_UNITY_Q30 * audio.acting.intensity) / HK_INTENSITY_MAX;
        audio.request.anti_q30 = (audio.acting.mode == HK_MODE_ANC) ? (int32_t)intensity_q30 : 0;
        audio.request.transparency_q30 = (audio.acting.mode == HK_MODE_TRANSPARENCY) ? HK_GAIN_UNITY_Q30 : 0;
    }
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        const bool mute = hk_jobs_muted(i);
        if (fresh || mute != audio.muted[i]) {
            audio.muted[i] = mute;
            audio.request.mute = mute;
            hk_audio_aim(&audio.ears[i], &hk_design, &audio.request);
        }
    }
}

static void run_ear(uint32_t ear, hk_audio_page_t *page, hk_record_t *record) {
    hk_audio_ear_t *path = &audio.ears[ear];
    if (audio.fill == 0U) {
        record->overload = 0U;
        record->wanted = wants_anti();
        record->quiet = true;
    }
    record->quiet = record->quiet && path->anti.gain_q30 == 0 && path->anti.target_q30 == 0;
    hk_audio_run(path, ear, page, audio.ops, record, audio.fill);
}

static void count_cycles(uint32_t cycles) {
    audio.cycles += cycles;
    audio.cycles_max = (cycles > audio.cycles_max) ? cycles : audio.cycles_max;
    audio.window_blocks++;
    if (audio.window_blocks == HK_APP_LOAD_WINDOW) {
        audio.window_cycles = audio.cycles - audio.window_start_cycles;
        audio.window_start_cycles = audio.cycles;
        audio.window_blocks = 0U;
        audio.windowed = true;
    }
}

void hk_app_audio_isr(void) {
    const uint32_t start = hk_port_cycles();
    hk_audio_page_t *page = hk_port_audio_page();
    aim();
    hk_record_t *records = hk_jobs_records();
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        run_ear(i, page, &records[i]);
    }
    audio.fill += HK_CONFIG_BLOCK;
    if (audio.fill >= HK_CONFIG_UPDATE_BLOCK) {
        audio.fill = 0U;
        (void)hk_jobs_boundary();
    }
    audio.samples += HK_CONFIG_BLOCK;
    audio.blocks++;
    count_cycles(hk_port_cycles() - start);
}

/* ---- thread ------------------------------------------------------------------------------------------------------ */

/* A bench plays the classifier's part. */
static void take_category(const hk_audio_page_t *page) {
    if (page->category != work.bench_category && hk_category_settings_apply((uint8_t)(page->category - 1U)) == HK_OK) {
        work.bench_category = page->category;
    }
}

bool hk_app_exchange(void) {
    hk_audio_page_t *page = hk_port_audio_page();
    if (page->magic != HK_AUDIO_PAGE_MAGIC || page->abi != HK_AUDIO_PAGE_ABI) {
        return false;
    }
    if (page->stop != 0U) {
        page->ready = 2U;
        return false;
    }
    page->ready = 1U;
    page->sequence++;
    hk_port_audio_sync();
    take_category(page);
    hk_port_pend_audio_irq();
    for (uint32_t i = 0U; i < work.slices_per_exchange; i++) {
        if (!hk_app_background()) {
            break;
        }
    }
    return true;
}

bool hk_app_background(void) {
    const uint64_t in_interrupt = audio.cycles;
    const uint32_t start = hk_port_cycles();
    const bool more = hk_jobs_slice();
    const uint32_t elapsed = hk_port_cycles() - start;
    work.cycles += elapsed - (uint32_t)(audio.cycles - in_interrupt);
    return more;
}

/* Hand the interrupt what acts from its next block on. */
static void publish(void) {
    hk_configuration_t set = work.operators;
    if (set.mode == HK_MODE_ANC) {
        set.mode = work.emergency ? HK_MODE_TRANSPARENCY : work.category->mode;
        set.intensity = (uint16_t)((uint32_t)set.intensity * work.category->intensity / HK_INTENSITY_MAX);
    }
    wanted.fresh = false;
    atomic_signal_fence(memory_order_seq_cst);
    wanted.set = set;
    atomic_signal_fence(memory_order_seq_cst);
    wanted.fresh = true;
}

hk_status_t hk_app_configure(const hk_configuration_t *configuration) {
    if (configuration == 0) {
        return HK_ERR_ARG;
    }
    if (configuration->mode > HK_MODE_TRANSPARENCY || configuration->intensity > HK_INTENSITY_MAX ||
        configuration->telemetry_period_ms < HK_TELEMETRY_PERIOD_MIN_MS ||
        configuration->telemetry_period_ms > HK_TELEMETRY_PERIOD_MAX_MS) {
        return HK_ERR_RANGE;
    }
    work.operators = *configuration;
    publish();
    return HK_OK;
}

void hk_app_set_category(const hk_category_settings_t *settings) {
    work.category = settings;
    hk_jobs_configure(settings);
    publish();
}

void hk_app_set_emergency(bool suspected) {
    if (suspected != work.emergency) {
        work.emergency = suspected;
        publish();
    }
}

void hk_app_configuration(hk_configuration_t *configuration) {
    *configuration = work.operators;
}

static int16_t to_level(int32_t cdb) {
    return (cdb <= HK_LEVEL_SILENT_CDB) ? HK_LEVEL_NONE : (int16_t)cdb;
}

static void ear_statistics(uint32_t ear, hk_ear_statistics_t *out) {
    const hk_watch_t *watch = hk_jobs_watch(ear);
    const hk_audio_ear_t *path = &audio.ears[ear];
    hk_control_stats_t control = {0};
    const uint32_t saved = hk_port_critical_enter();
    audio.ops->stats(ear, &control);
    out->saturations = path->saturations;
    out->overloads = path->overloads;
    out->limited = path->limiter.limited;
    hk_port_critical_exit(saved);
    out->reference_cdb = to_level(watch->reference_cdb);
    out->error_cdb = to_level(watch->error_cdb);
    out->attenuation_cdb = watch->has_attenuation ? (int16_t)watch->attenuation_cdb : HK_LEVEL_NONE;
    out->weight_norm_cdb = to_level(hk_level_cdb(control.weight_norm, 32U));
    out->watch = (uint8_t)watch->state;
    out->adapting = hk_jobs_adapting(ear) ? 1U : 0U;
    out->updates = control.updates;
    out->clipped = control.clipped;
    out->checks = watch->checks;
    out->restarts = watch->restarts;
}

/* Load since the statistics read before the last window began: both counters cover the same interrupts. */
static void update_load(uint64_t interrupt_cycles, uint64_t blocks) {
    const uint64_t passed = blocks - work.window_start_block;
    if (passed < HK_APP_LOAD_WINDOW) {
        return;
    }
    const uint64_t all = interrupt_cycles + work.cycles;
    const uint64_t available = passed * HK_CONFIG_BLOCK * (HK_CONFIG_CLOCK_HZ / HK_CONFIG_RATE_HZ);
    work.load_permille = (uint32_t)(((all - work.window_start_cycles) * 1000U) / available);
    work.window_start_cycles = all;
    work.window_start_block = blocks;
}

void hk_app_statistics(hk_statistics_t *out) {
    memset(out, 0, sizeof *out);
    out->n_ears = HK_CONFIG_EARS;
    out->rate_hz = HK_CONFIG_RATE_HZ;
    const uint32_t saved = hk_port_critical_enter();
    out->samples = audio.samples;
    out->blocks = audio.blocks;
    out->mode = audio.acting.mode;
    out->intensity = audio.acting.intensity;
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        if (hk_ramp_moves(&audio.ears[i].anti) || hk_ramp_moves(&audio.ears[i].transparency)) {
            out->ramping = 1U;
        }
    }
    const uint64_t cycles = audio.cycles;
    const uint64_t window = audio.windowed ? audio.window_cycles : 0U;
    const uint32_t most = audio.cycles_max;
    hk_port_critical_exit(saved);
    out->overruns = hk_jobs_overruns();
    out->starvations = hk_jobs_starvations();
    if (work.has_cycles) {
        update_load(cycles, out->blocks);
        out->has_cycles = 1U;
        out->isr_cycles_mean = (uint32_t)(window / HK_APP_LOAD_WINDOW);
        out->isr_cycles_max = most;
        out->load_permille = work.load_permille;
    }
    out->stack_used_bytes = hk_port_stack_used();
    for (uint32_t i = 0U; i < HK_CONFIG_EARS; i++) {
        ear_statistics(i, &out->ears[i]);
    }
}
