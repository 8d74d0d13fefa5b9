/**
 * @file  hk_watch.c
 * @brief Divergence watch: sums per window, and the four states.
 */
#include "hk/hk_watch.h"

#include "hk/hk_level.h" /* hk_level_mean_cdb, HK_LEVEL_SILENT_CDB */
#include <string.h>      /* memset */

#define QUARTERS          4U
#define QUARTER_EXTRA_CDB 600 /* a quarter window scatters more */
#define SLOW_CDB          100 /* louder than "off" by this over 100 ms: suspicion; less would follow the scatter */
#define CONFIRM_CDB       100 /* louder with anti-noise than without by this: confirmed */
#define FOLLOW_CDB        10  /* the gain follows the model's estimate by this per 100 ms */
#define MAX_FAILURES      4U  /* hold of 25.6 s */
#define MAX_REST          32U

void hk_watch_init(hk_watch_t *watch, const hk_watch_design_t *design) {
    memset(watch, 0, sizeof *watch);
    watch->design = design;
    watch->state = HK_WATCH_LEARNING;
    watch->mute = true;
    watch->settle = design->settle_jobs;
    watch->reference_cdb = HK_LEVEL_SILENT_CDB;
    watch->error_cdb = HK_LEVEL_SILENT_CDB;
}

static void clear(hk_watch_sums_t *sums) {
    memset(sums, 0, sizeof *sums);
}

static void add(hk_watch_sums_t *sums, const hk_watch_input_t *input) {
    sums->reference += input->reference;
    sums->with_anti += input->with_anti;
    sums->without_anti += input->without_anti;
    sums->jobs++;
}

/* Level of the error with anti-noise over the reference's. */
static int32_t excess(const hk_watch_sums_t *sums, const hk_watch_input_t *per_job) {
    return hk_level_mean_cdb(sums->with_anti, sums->jobs * per_job->n_error) -
           hk_level_mean_cdb(sums->reference, sums->jobs * per_job->n_reference);
}

static void mute(hk_watch_t *watch, hk_watch_state_t state) {
    watch->state = state;
    watch->mute = true;
    watch->settle = watch->design->settle_jobs;
    clear(&watch->quarter);
    clear(&watch->window);
    clear(&watch->slow);
    watch->bounded_jobs = 0U;
}

static void run(hk_watch_t *watch) {
    watch->state = HK_WATCH_RUNNING;
    watch->mute = false;
    watch->settle = watch->design->settle_jobs; /* the ramp back is neither with nor without */
    watch->calm_jobs = 0U;
}

static void suspect(hk_watch_t *watch, int32_t excess_cdb) {
    watch->suspect_cdb = excess_cdb;
    watch->checks++;
    mute(watch, HK_WATCH_CHECKING);
}

static void fail(hk_watch_t *watch) {
    watch->restarts++;
    watch->reset = true;
    watch->false_alarms = 0U;
    watch->held = 1UL << (2U * watch->failures);
    watch->failures += (watch->failures < MAX_FAILURES) ? 1U : 0U;
    watch->state = HK_WATCH_HOLDING;
}

static void figures(hk_watch_t *watch, const hk_watch_input_t *input) {
    const hk_watch_sums_t *w = &watch->slow;
    watch->reference_cdb = hk_level_mean_cdb(w->reference, w->jobs * input->n_reference);
    watch->error_cdb = hk_level_mean_cdb(w->with_anti, w->jobs * input->n_error);
    watch->has_attenuation = w->with_anti != 0U && w->without_anti != 0U;
    watch->attenuation_cdb =
        watch->has_attenuation ? hk_level_mean_cdb(w->without_anti, w->jobs * input->n_error) - watch->error_cdb : 0;
}

/* 100 ms have passed with anti-noise muted; `gain` is what they measured. */
static void muted_slow(hk_watch_t *watch, int32_t gain) {
    watch->gain_cdb = gain;
    if (watch->state == HK_WATCH_CHECKING) {
        if (watch->suspect_cdb > gain + CONFIRM_CDB) {
            fail(watch);
        } else {
            watch->false_alarms += (watch->false_alarms < MAX_REST) ? 1U : 0U;
            watch->rest = watch->false_alarms;
            run(watch);
        }
    } else if (watch->state == HK_WATCH_HOLDING && watch->held > 1U) {
        watch->held--;
    } else {
        run(watch);
    }
}

/* 100 ms have passed with anti-noise playing. */
static void running_slow(hk_watch_t *watch, int32_t found) {
    const bool at_limit = watch->bounded_jobs >= watch->design->slow_jobs;
    if (watch->rest > 0U) {
        watch->rest--;
    } else if (found > watch->gain_cdb + SLOW_CDB || at_limit) {
        suspect(watch, found);
        return;
    }
    if (found < watch->gain_cdb) {
        watch->false_alarms = 0U;
        const int32_t model = found + watch->attenuation_cdb;
        const int32_t step = watch->has_attenuation ? model - watch->gain_cdb : 0;
        watch->gain_cdb += (step > FOLLOW_CDB) ? FOLLOW_CDB : ((step < -FOLLOW_CDB) ? -FOLLOW_CDB : step);
    }
}

static void forgive(hk_watch_t *watch) {
    watch->calm_jobs++;
    if (watch->calm_jobs >= watch->design->minute_jobs) {
        watch->calm_jobs = 0U;
        watch->failures -= (watch->failures > 0U) ? 1U : 0U;
    }
}

/* A short window is full: judge it and start the next. @return true when it raised suspicion. */
static bool judge(hk_watch_t *watch, hk_watch_sums_t *sums, const hk_watch_input_t *input, int32_t ratio_cdb) {
    const int32_t reference_cdb = hk_level_mean_cdb(sums->reference, sums->jobs * input->n_reference);
    const int32_t found = excess(sums, input);
    clear(sums);
    if (watch->state != HK_WATCH_RUNNING || input->quiet || reference_cdb < HK_WATCH_SILENCE_CDB ||
        found <= watch->gain_cdb + ratio_cdb) {
        return false;
    }
    suspect(watch, found);
    return true;
}

static bool short_windows(hk_watch_t *watch, const hk_watch_input_t *input) {
    const hk_watch_design_t *design = watch->design;
    if (watch->quarter.jobs >= design->quarter_jobs &&
        judge(watch, &watch->quarter, input, design->ratio_cdb + QUARTER_EXTRA_CDB)) {
        return true;
    }
    if (watch->window.jobs < QUARTERS * design->quarter_jobs) {
        return false;
    }
    if (watch->rest > 0U) {
        clear(&watch->window);
        return false;
    }
    return judge(watch, &watch->window, input, design->ratio_cdb);
}

static void slow_window(hk_watch_t *watch, const hk_watch_input_t *input) {
    figures(watch, input);
    if (watch->reference_cdb >= HK_WATCH_SILENCE_CDB) {
        const int32_t found = excess(&watch->slow, input);
        if (watch->mute) {
            muted_slow(watch, found);
        } else if (input->quiet) {
            watch->gain_cdb = found; /* mode off: measured for nothing */
        } else {
            running_slow(watch, found);
        }
    }
    clear(&watch->slow);
    watch->bounded_jobs = 0U;
}

void hk_watch_step(hk_watch_t *watch, const hk_watch_input_t *input) {
    watch->reset = false;
    if (watch->settle > 0U) {
        watch->settle--;
        return;
    }
    if (watch->mute != input->quiet && input->wanted) {
        return; /* a ramp is under way */
    }
    if (input->masked && watch->state == HK_WATCH_RUNNING) {
        return; /* were anti-noise to grow, it would not be masked for long */
    }
    add(&watch->quarter, input);
    add(&watch->window, input);
    add(&watch->slow, input);
    watch->bounded_jobs += input->out_of_bounds ? 1U : 0U;
    if (watch->state == HK_WATCH_RUNNING) {
        forgive(watch);
    }
    if (!short_windows(watch, input) && watch->slow.jobs >= watch->design->slow_jobs) {
        slow_window(watch, input);
    }
}
