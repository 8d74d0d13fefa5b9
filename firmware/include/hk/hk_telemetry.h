/**
 * @file  hk_telemetry.h
 * @brief Telemetry while a host holds a lease on it: levels, work, health and events as frames of hk_wire.h.
 *
 * Without a lease nothing is sent, so that a host that knows only SMP sees a pure SMP line.
 *
 * Context   Thread. Time comes in as milliseconds since start, which wrap.
 */
#ifndef HK_TELEMETRY_H
#define HK_TELEMETRY_H

#include "hk/hk_app.h"    /* hk_statistics_t */
#include "wire/hk_wire.h" /* HK_WIRE_MAX_FRAME, hk_wire_health_t */
#include <stdint.h>       /* uint8_t, uint32_t */

/** Clear everything; no lease. */
void hk_telemetry_init(void);

/** Start, replace or, with lease_s 0, end the lease. Arguments are in the ranges of hk_wire.h. */
void hk_telemetry_lease(uint32_t period_ms, uint32_t lease_s, uint32_t now_ms);

/** Report a configuration that was refused with this HK_WIRE_ERROR code. */
void hk_telemetry_configuration_rejected(uint32_t error);

/** The next frame that is due, if any. frame has room for HK_WIRE_MAX_FRAME. @return its bytes; 0: none. */
uint32_t hk_telemetry_next(uint32_t now_ms, uint8_t *frame);

/** Totals since start, as the message health and the command statistics give them. */
void hk_telemetry_health(const hk_statistics_t *statistics, uint32_t now_ms, hk_wire_health_t *health);

/** Frames not sent for want of room since start. */
uint32_t hk_telemetry_dropped(void);

#endif /* HK_TELEMETRY_H */
