/**
 * @file  hk_app.h
 * @brief The headset: audio interrupt, background work, configuration and statistics.
 *
 * A port's main() is: hk_app_init(); then for ever: hk_app_exchange(), the link's poll, hk_port_idle() when neither had
 * anything to do. The audio interrupt's handler is hk_app_audio_isr(). Real converters pend that interrupt themselves;
 * then the loop calls hk_app_background() in place of hk_app_exchange().
 *
 * Numbers   Levels in 0.01 dB relative to full scale: a full-scale square wave is 0, a full-scale sine -301.
 */
#ifndef HK_APP_H
#define HK_APP_H

#include "hk/hk_audio_page.h" /* HK_AUDIO_PAGE_MAX_EARS */
#include "hk/hk_design.h"     /* hk_category_settings_t */
#include "hk/hk_status.h"     /* hk_status_t, HK_MUST_CHECK */
#include <stdbool.h>          /* bool */
#include <stdint.h>           /* int32_t, uint32_t */

typedef enum { HK_MODE_OFF = 0, HK_MODE_ANC = 1, HK_MODE_TRANSPARENCY = 2 } hk_mode_t;

#define HK_INTENSITY_MAX           1000U /* per mille */
#define HK_TELEMETRY_PERIOD_MIN_MS 100U
#define HK_TELEMETRY_PERIOD_MAX_MS 3600000UL

/** What an operator sets. */
typedef struct {
    uint8_t mode;                 /* hk_mode_t */
    uint16_t intensity;           /* gain of the anti-noise, 0..HK_INTENSITY_MAX per mille */
    uint32_t telemetry_period_ms; /* HK_TELEMETRY_PERIOD_MIN_MS..HK_TELEMETRY_PERIOD_MAX_MS */
} hk_configuration_t;

/** State of one ear's divergence watch. */
typedef enum {
    HK_WATCH_LEARNING = 0, /* anti-noise muted, the level without it is being measured */
    HK_WATCH_RUNNING = 1,
    HK_WATCH_CHECKING = 2, /* muted on suspicion: comparing with and without */
    HK_WATCH_HOLDING = 3   /* muted after a confirmed divergence, weights reset */
} hk_watch_state_t;

#define HK_LEVEL_NONE INT16_MIN /* no figure: silence, or nothing measured yet */

typedef struct {
    int16_t reference_cdb;   /* level of the reference microphone, 0.01 dBFS, over the last watch window */
    int16_t error_cdb;       /* level of the error microphone, 0.01 dBFS, programme removed */
    int16_t attenuation_cdb; /* estimate: error level without anti-noise (secondary-path model) over with it, 0.01 dB */
    int16_t weight_norm_cdb; /* 10 log10 of the sum of the squared weights, 0.01 dB */
    uint8_t watch;           /* hk_watch_state_t */
    uint8_t adapting;        /* 1: weights moved during the last update block */
    uint32_t updates;        /* weight updates that acted */
    uint32_t clipped;        /* weights held at a limit */
    uint32_t saturations;    /* samples that saturated inside the audio path */
    uint32_t overloads;      /* input samples at the converter's rails */
    uint32_t limited;        /* samples the output limiter turned down */
    uint32_t checks;         /* times the watch muted to compare */
    uint32_t restarts;       /* divergences confirmed: weights reset */
} hk_ear_statistics_t;

/** Snapshot of counters since boot and of the latest levels. */
typedef struct {
    uint32_t n_ears;
    uint32_t rate_hz;
    uint64_t samples;         /* audio samples per ear */
    uint64_t blocks;          /* audio interrupts */
    uint32_t overruns;        /* update-block boundaries at which the background was late */
    uint32_t starvations;     /* times anti-noise was muted because the background had stopped */
    uint32_t has_cycles;      /* 0: this core has no cycle counter and the next three are 0 */
    uint32_t isr_cycles_mean; /* over the last HK_APP_LOAD_WINDOW interrupts */
    uint32_t isr_cycles_max;  /* since boot */
    uint32_t load_permille;   /* audio interrupt and background over real time, last window */
    uint32_t stack_used_bytes;
    uint8_t mode;       /* hk_mode_t that acts now */
    uint8_t ramping;    /* 1: gains are still moving */
    uint16_t intensity; /* per mille, acting now */
    hk_ear_statistics_t ears[HK_AUDIO_PAGE_MAX_EARS];
} hk_statistics_t;

#define HK_APP_LOAD_WINDOW 4096U /* interrupts; 85 ms at block 1 and 48 kHz */

/** Bind the design, clear everything, fill the page's firmware fields. Audio stays idle until a plant attaches.
 *  @return HK_OK; HK_ERR_ABI or HK_ERR_RANGE when generated code does not fit this firmware. */
HK_MUST_CHECK hk_status_t hk_app_init(void);

/** Body of the audio interrupt: one block from page->in to page->out. Bounded, integer only, cannot fail. */
void hk_app_audio_isr(void);

/** Thread: one exchange with the plant, its interrupt, and this block's even share of background work.
 *  @return false when there was nothing to do: no plant attached, or parked after page->stop. */
bool hk_app_exchange(void);

/** Thread: one bounded slice of background work. @return true when more waits. */
bool hk_app_background(void);

/** Thread: set the whole configuration; it acts as one at the next audio block. A noise category may make transparency
 *  of ANC, or lower its intensity: the statistics tell what acts.
 *  @return HK_OK, HK_ERR_RANGE (nothing changed), HK_ERR_ARG. */
HK_MUST_CHECK hk_status_t hk_app_configure(const hk_configuration_t *configuration);

/** Thread: what a noise category makes of the configuration; hk_category.h calls it. */
void hk_app_set_category(const hk_category_settings_t *settings);

/** Thread: whether an emergency is suspected. While one is, ANC makes way for transparency. */
void hk_app_set_emergency(bool suspected);

/** Thread: the configuration last set. */
void hk_app_configuration(hk_configuration_t *configuration);

/** Thread: a consistent snapshot. */
void hk_app_statistics(hk_statistics_t *statistics);

#endif /* HK_APP_H */
