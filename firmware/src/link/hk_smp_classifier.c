/**
 * @file  hk_smp_classifier.c
 * @brief SMP group 64's commands about the classifier: what it found, its networks and their upload, features.
 *
 * An upload may be sent again from any piece on: what came already is passed over. What the slots refuse is told by
 * `refused` when the network is read, and leaves the network that runs.
 */
#include "hk_smp_groups.h"

#include "hk_config.h" /* HK_CONFIG_CLASSIFIER */

#if HK_CONFIG_CLASSIFIER

#include "hk/hk_classifier.h" /* hk_classifier_* */
#include "hk/hk_decision.h"   /* HK_DECISION_UNKNOWN */
#include "hk/hk_frontend.h"   /* HK_FRONTEND_MELS */

#define ROWS        16U   /* of features in one reply: 640 bytes */
#define LEVEL_FLOOR 10000 /* levels are counted from -100 dB SPL */
#define MOST_DATA   768U

static hk_smp_result_t fitted(bool ok) {
    return ok ? HK_SMP_OK : HK_SMP_EMSGSIZE;
}

static uint32_t category_of(uint8_t category) {
    return (category == HK_DECISION_UNKNOWN) ? HK_WIRE_CATEGORY_UNKNOWN : category;
}

static hk_smp_result_t classifier(const hk_smp_request_t *request) {
    if (request->op != HK_SMP_READ) {
        return HK_SMP_ENOTSUP;
    }
    hk_classifier_status_t s;
    hk_classifier_status(&s);
    zcbor_state_t *out = request->out;
    const uint32_t superclass = (s.superclass == HK_DECISION_UNKNOWN) ? HK_WIRE_SUPERCLASS_UNKNOWN : s.superclass;
    const uint32_t kind = (s.emergency == HK_EMERGENCY_NONE) ? HK_WIRE_EMERGENCY_KIND_NONE : 1U + s.emergency_kind;
    bool ok = hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_CATEGORY, category_of(s.category)) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_SUPERCLASS, superclass) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_CONFIDENCE, s.confidence) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_GUESS, category_of(s.guess)) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_EMERGENCY, kind) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_EMERGENCY_STATE, (uint32_t)s.emergency) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_WINDOWS, s.windows) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_MODEL, s.model) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_SHADOW_MODEL, s.shadow) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_COMPARED, s.compared) &&
              hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_DISAGREED, s.disagreed);
    if (ok && s.level_cdb >= -LEVEL_FLOOR) {
        ok = hk_smp_put_uint(out, HK_WIRE_CLASSIFIER_KEY_LEVEL, (uint32_t)(s.level_cdb + LEVEL_FLOOR));
    }
    return fitted(ok);
}

static hk_smp_result_t put_network(zcbor_state_t *out, uint32_t offset) {
    const hk_net_slots_status_t s = hk_net_slots_status(hk_classifier_networks());
    hk_classifier_status_t found;
    hk_classifier_status(&found);
    const hk_status_t refused = (s.refused != HK_OK) ? s.refused : found.start;
    return fitted(hk_smp_put_uint(out, HK_WIRE_NETWORK_KEY_OFFSET, offset) &&
                  hk_smp_put_uint(out, HK_WIRE_NETWORK_KEY_MODEL, s.model) &&
                  hk_smp_put_uint(out, HK_WIRE_NETWORK_KEY_PREVIOUS_MODEL, s.previous_model) &&
                  hk_smp_put_uint(out, HK_WIRE_NETWORK_KEY_WAITING_MODEL, s.waiting_model) &&
                  hk_smp_put_uint(out, HK_WIRE_NETWORK_KEY_UPLOADS, s.sequence) &&
                  hk_smp_put_uint(out, HK_WIRE_NETWORK_KEY_MOST_BYTES, s.most_bytes) &&
                  hk_smp_put_uint(out, HK_WIRE_NETWORK_KEY_REFUSED, (uint32_t)(-(int32_t)refused)));
}

static uint8_t error_of_status(hk_status_t status) {
    switch (status) {
    case HK_OK:
        return HK_WIRE_ERROR_OK;
    case HK_ERR_STATE:
        return HK_WIRE_ERROR_BUSY;
    case HK_ERR_RANGE:
    case HK_ERR_SPACE:
    case HK_ERR_LENGTH:
        return HK_WIRE_ERROR_RANGE;
    default:
        return HK_WIRE_ERROR_MALFORMED;
    }
}

/* One piece of an upload. @return The group's error; *offset is where the next piece goes. */
static uint8_t take_piece(const hk_smp_field_t *at, const hk_smp_field_t *data, const hk_smp_field_t *length,
                          uint32_t *offset) {
    hk_net_slots_t *const slots = hk_classifier_networks();
    hk_net_slots_status_t s = hk_net_slots_status(slots);
    hk_status_t status = HK_OK;
    if (length->present && at->number == 0U && s.expected != length->number) {
        status = hk_net_upload_begin(slots, length->number);
    }
    if (status == HK_OK && data->n_text > 0U) {
        status = hk_net_upload_write(slots, at->number, (const uint8_t *)data->text, data->n_text);
    }
    s = hk_net_slots_status(slots);
    *offset = s.received;
    if (status == HK_OK && s.expected != 0U && s.received == s.expected) {
        status = hk_net_upload_finish(slots);
    }
    return error_of_status(status);
}

static hk_smp_result_t network(const hk_smp_request_t *request) {
    enum { OFFSET, DATA, LENGTH, COUNT };
    if (request->op == HK_SMP_READ) {
        return put_network(request->out, hk_net_slots_status(hk_classifier_networks()).received);
    }
    hk_smp_field_t fields[COUNT] = {[OFFSET] = {.key = HK_WIRE_NETWORK_KEY_OFFSET},
                                    [DATA] = {.key = HK_WIRE_NETWORK_KEY_DATA, .type = HK_SMP_BYTES},
                                    [LENGTH] = {.key = HK_WIRE_NETWORK_KEY_LENGTH}};
    const hk_smp_read_t read = hk_smp_read_fields(request, fields, COUNT, true);
    if (read != HK_SMP_READ_OK || !fields[OFFSET].present || !fields[DATA].present) {
        return HK_SMP_GROUP_ERR(read == HK_SMP_READ_OK ? HK_WIRE_ERROR_MALFORMED : hk_smp_error_of(read));
    }
    if (fields[DATA].n_text > MOST_DATA) {
        return HK_SMP_GROUP_ERR(HK_WIRE_ERROR_RANGE);
    }
    uint32_t offset = 0U;
    const uint8_t error = take_piece(&fields[OFFSET], &fields[DATA], &fields[LENGTH], &offset);
    return error == HK_WIRE_ERROR_OK ? put_network(request->out, offset) : HK_SMP_GROUP_ERR(error);
}

static hk_smp_result_t features(const hk_smp_request_t *request) {
    if (request->op != HK_SMP_WRITE) {
        return HK_SMP_ENOTSUP;
    }
    hk_smp_field_t row = {.key = HK_WIRE_FEATURES_KEY_ROW};
    const hk_smp_read_t read = hk_smp_read_fields(request, &row, 1U, true);
    if (read != HK_SMP_READ_OK || !row.present) {
        return HK_SMP_GROUP_ERR(read == HK_SMP_READ_OK ? HK_WIRE_ERROR_MALFORMED : hk_smp_error_of(read));
    }
    if (row.number > HK_WIRE_FEATURES_ROW_MAX) {
        return HK_SMP_GROUP_ERR(HK_WIRE_ERROR_RANGE);
    }
    int8_t data[ROWS * HK_FRONTEND_MELS];
    uint32_t window = 0U;
    const uint32_t n = hk_classifier_features(row.number, ROWS, data, &window);
    zcbor_state_t *out = request->out;
    return fitted(hk_smp_put_uint(out, HK_WIRE_FEATURES_KEY_WINDOW, window) &&
                  hk_smp_put_uint(out, HK_WIRE_FEATURES_KEY_ROW, row.number) &&
                  hk_smp_put_bytes(out, HK_WIRE_FEATURES_KEY_DATA, (const uint8_t *)data, n * HK_FRONTEND_MELS));
}

hk_smp_result_t hk_smp_classifier(const hk_smp_request_t *request) {
    switch (request->command) {
    case HK_WIRE_COMMAND_CLASSIFIER:
        return classifier(request);
    case HK_WIRE_COMMAND_NETWORK:
        return network(request);
    default:
        return features(request);
    }
}

#else

hk_smp_result_t hk_smp_classifier(const hk_smp_request_t *request) {
    (void)request;
    return HK_SMP_GROUP_ERR(HK_WIRE_ERROR_UNKNOWN);
}

#endif
