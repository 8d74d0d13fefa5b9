/**
 * @file  hk_smp_headset.c
 * @brief SMP group 64: configuration, statistics, telemetry lease, about. Keys, ranges and codes come from hk_wire.h.
 *
 * A write is checked whole before anything changes: what is refused leaves the headset as it was.
 */
#include "hk_smp_groups.h"

#include "hk/hk_app.h"       /* hk_app_configure, hk_app_statistics */
#include "hk/hk_design.h"    /* hk_design */
#include "hk/hk_port.h"      /* hk_build_id, hk_port_millis */
#include "hk/hk_telemetry.h" /* hk_telemetry_lease */

#include <string.h> /* strlen */

static uint32_t changes; /* of the configuration, since start */

static hk_smp_result_t fitted(bool ok) {
    return ok ? HK_SMP_OK : HK_SMP_EMSGSIZE;
}

uint8_t hk_smp_error_of(hk_smp_read_t read) {
    switch (read) {
    case HK_SMP_READ_OK:
        return HK_WIRE_ERROR_OK;
    case HK_SMP_READ_RANGE:
        return HK_WIRE_ERROR_RANGE;
    case HK_SMP_READ_UNKNOWN_KEY:
    case HK_SMP_READ_MALFORMED:
    default:
        return HK_WIRE_ERROR_MALFORMED;
    }
}

static hk_smp_result_t put_configuration(zcbor_state_t *out) {
    hk_configuration_t c;
    hk_app_configuration(&c);
    return fitted(hk_smp_put_uint(out, HK_WIRE_CONFIGURATION_KEY_MODE, c.mode) &&
                  hk_smp_put_uint(out, HK_WIRE_CONFIGURATION_KEY_INTENSITY, c.intensity) &&
                  hk_smp_put_uint(out, HK_WIRE_CONFIGURATION_KEY_CHANGES, changes));
}

static uint8_t write_configuration(const hk_smp_request_t *request) {
    enum { MODE, INTENSITY, COUNT };
    hk_smp_field_t fields[COUNT] = {[MODE] = {.key = HK_WIRE_CONFIGURATION_KEY_MODE},
                                    [INTENSITY] = {.key = HK_WIRE_CONFIGURATION_KEY_INTENSITY}};
    const hk_smp_read_t read = hk_smp_read_fields(request, fields, COUNT, true);
    if (read != HK_SMP_READ_OK) {
        return hk_smp_error_of(read);
    }
    hk_configuration_t c;
    hk_app_configuration(&c);
    if (fields[MODE].present) {
        if (fields[MODE].number >= HK_WIRE_MODE_COUNT) {
            return HK_WIRE_ERROR_RANGE;
        }
        c.mode = (uint8_t)fields[MODE].number;
    }
    if (fields[INTENSITY].present) {
        if (fields[INTENSITY].number > HK_WIRE_CONFIGURATION_INTENSITY_MAX) {
            return HK_WIRE_ERROR_RANGE;
        }
        c.intensity = (uint16_t)fields[INTENSITY].number;
    }
    switch (hk_app_configure(&c)) {
    case HK_OK:
        changes += fields[MODE].present || fields[INTENSITY].present ? 1U : 0U;
        return HK_WIRE_ERROR_OK;
    case HK_ERR_STATE:
        return HK_WIRE_ERROR_BUSY;
    default:
        return HK_WIRE_ERROR_RANGE;
    }
}

static hk_smp_result_t configuration(const hk_smp_request_t *request) {
    if (request->op != HK_SMP_READ) {
        const uint8_t error = write_configuration(request);
        if (error != HK_WIRE_ERROR_OK) {
            hk_telemetry_configuration_rejected(error);
            return HK_SMP_GROUP_ERR(error);
        }
    }
    return put_configuration(request->out);
}

static bool put_fault(zcbor_state_t *out) {
    const hk_fault_record_t *fault = hk_port_fault();
    if (fault == NULL) {
        return hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_FAULTS, 0U);
    }
    return hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_FAULTS, fault->count) &&
           hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_FAULT_KIND, fault->kind) &&
           hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_FAULT_PC, fault->pc) &&
           hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_FAULT_LR, fault->lr) &&
           hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_FAULT_STATUS, fault->status) &&
           hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_FAULT_ADDRESS, fault->address);
}

static hk_smp_result_t statistics(const hk_smp_request_t *request) {
    if (request->op != HK_SMP_READ) {
        return HK_SMP_ENOTSUP;
    }
    hk_statistics_t s;
    hk_app_statistics(&s);
    hk_wire_health_t totals;
    hk_telemetry_health(&s, hk_port_millis(), &totals);
    zcbor_state_t *out = request->out;
    bool ok = hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_UPTIME_MS, totals.uptime_ms) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_SAMPLES, (uint32_t)s.samples) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_OVERRUNS, totals.overruns) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_STARVATIONS, totals.starvations) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_SATURATIONS, totals.saturations) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_OVERLOADS, totals.overloads) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_LIMITED, totals.limited) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_RESTARTS, totals.restarts) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_LINE_ERRORS, totals.line_errors) &&
              hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_FRAMES_DROPPED, totals.frames_dropped);
    if (ok && totals.stack_used != HK_WIRE_HEALTH_STACK_USED_ABSENT) {
        ok = hk_smp_put_uint(out, HK_WIRE_STATISTICS_KEY_STACK_USED, totals.stack_used);
    }
    return fitted(ok && put_fault(out));
}

static hk_smp_result_t lease(const hk_smp_request_t *request) {
    enum { PERIOD, LEASE, COUNT };
    if (request->op != HK_SMP_WRITE) {
        return HK_SMP_ENOTSUP;
    }
    hk_smp_field_t fields[COUNT] = {[PERIOD] = {.key = HK_WIRE_LEASE_KEY_PERIOD_MS},
                                    [LEASE] = {.key = HK_WIRE_LEASE_KEY_LEASE_S}};
    const hk_smp_read_t read = hk_smp_read_fields(request, fields, COUNT, true);
    if (read != HK_SMP_READ_OK || !fields[PERIOD].present || !fields[LEASE].present) {
        return HK_SMP_GROUP_ERR(read == HK_SMP_READ_OK ? HK_WIRE_ERROR_MALFORMED : hk_smp_error_of(read));
    }
    const uint32_t period_ms = fields[PERIOD].number;
    const uint32_t lease_s = fields[LEASE].number;
    if (period_ms < HK_WIRE_LEASE_PERIOD_MS_MIN || period_ms > HK_WIRE_LEASE_PERIOD_MS_MAX ||
        lease_s > HK_WIRE_LEASE_LEASE_S_MAX) {
        return HK_SMP_GROUP_ERR(HK_WIRE_ERROR_RANGE);
    }
    hk_configuration_t c;
    hk_app_configuration(&c);
    c.telemetry_period_ms = period_ms;
    if (hk_app_configure(&c) != HK_OK) {
        return HK_SMP_GROUP_ERR(HK_WIRE_ERROR_RANGE);
    }
    hk_telemetry_lease(period_ms, lease_s, hk_port_millis());
    return fitted(hk_smp_put_uint(request->out, HK_WIRE_LEASE_KEY_PERIOD_MS, period_ms) &&
                  hk_smp_put_uint(request->out, HK_WIRE_LEASE_KEY_LEASE_S, lease_s));
}

static hk_smp_result_t about(const hk_smp_request_t *request) {
    static const uint8_t digest[HK_WIRE_DIGEST_BYTES] = HK_WIRE_DIGEST;
    if (request->op != HK_SMP_READ) {
        return HK_SMP_ENOTSUP;
    }
    zcbor_state_t *out = request->out;
    const uint32_t n_name = (uint32_t)strlen(hk_design.spec_name);
    return fitted(hk_smp_put_uint(out, HK_WIRE_ABOUT_KEY_SCHEMA, HK_WIRE_SCHEMA) &&
                  hk_smp_put_bytes(out, HK_WIRE_ABOUT_KEY_DIGEST, digest, sizeof digest) &&
                  hk_smp_put_text(out, HK_WIRE_ABOUT_KEY_SPEC, hk_design.spec_name, n_name) &&
                  hk_smp_put_text(out, HK_WIRE_ABOUT_KEY_VERSION, HK_BUILD_VERSION, sizeof HK_BUILD_VERSION - 1U) &&
                  hk_smp_put_bytes(out, HK_WIRE_ABOUT_KEY_BUILD_ID, hk_build_id, HK_BUILD_ID_BYTES));
}

hk_smp_result_t hk_smp_headset(const hk_smp_request_t *request) {
    switch (request->command) {
    case HK_WIRE_COMMAND_CONFIGURATION:
        return configuration(request);
    case HK_WIRE_COMMAND_STATISTICS:
        return statistics(request);
    case HK_WIRE_COMMAND_LEASE:
        return lease(request);
    case HK_WIRE_COMMAND_ABOUT:
        return about(request);
    case HK_WIRE_COMMAND_CLASSIFIER:
    case HK_WIRE_COMMAND_NETWORK:
    case HK_WIRE_COMMAND_FEATURES:
        return hk_smp_classifier(request);
    default:
        return HK_SMP_ENOTSUP;
    }
}
