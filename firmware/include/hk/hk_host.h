/**
 * @file  hk_host.h
 * @brief The firmware as a shared library: the same C as on the target, driven by a function instead of an interrupt.
 *
 * One headset per loaded library. For ctypes: plain types only.
 *
 *     hk_host_init(); hk_host_set_sync(plant_step, plant); hk_host_run(48000);
 */
#ifndef HK_HOST_H
#define HK_HOST_H

#include "hk/hk_app.h"        /* hk_configuration_t, hk_statistics_t */
#include "hk/hk_audio_page.h" /* hk_audio_page_t */
#include <stdint.h>           /* int32_t, uint8_t, uint32_t, uint64_t */

/** The plant: takes page->out, fills page->in. */
typedef void (*hk_host_sync_t)(hk_audio_page_t *page, void *context);

/** Start, or start afresh: all state cleared, plant detached. @return hk_status_t. */
int32_t hk_host_init(void);

/** The page; hk_host_set_sync marks it attached. */
hk_audio_page_t *hk_host_page(void);

/** Attach a plant, or with null a silent one whose inputs are what the caller leaves on the page. */
void hk_host_set_sync(hk_host_sync_t sync, void *context);

/** Run exchanges. @return how many ran: fewer when page->stop was set. */
uint64_t hk_host_run(uint64_t n_exchanges);

/** Make every background slice of the next n exchanges not run: what a target does whose thread is busy. */
void hk_host_stall_background(uint64_t n_exchanges);

/** As hk_app_configure, hk_app_configuration, hk_app_statistics. */
int32_t hk_host_configure(uint32_t mode, uint32_t intensity, uint32_t telemetry_period_ms);
void hk_host_configuration(hk_configuration_t *configuration);
void hk_host_statistics(hk_statistics_t *statistics);

/** Size of hk_statistics_t, for a caller to check its own copy of the layout. */
uint32_t hk_host_statistics_size(void);

/** HK_BUILD_ID_BYTES bytes. */
const uint8_t *hk_host_build_id(void);

/** Name of the spec this library was built from. */
const char *hk_host_spec_name(void);

#endif /* HK_HOST_H */
