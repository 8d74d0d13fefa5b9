/**
 * @file  hk_smp.c
 * @brief SMP server: packets in, packets out; groups os and image as mcumgr defines them.
 *
 * What is not there is refused as not supported (mcumgr code 8), never answered with made-up data.
 */
#include "hk/hk_smp.h"

#include "hk_smp_groups.h"

#include "hk/hk_app.h"  /* hk_app_statistics */
#include "hk/hk_port.h" /* hk_port_stack_used */

#include <string.h> /* memcpy, strlen */
#include <zcbor_encode.h>

#define HK_SMP_GROUP_OS    0U
#define HK_SMP_GROUP_IMAGE 1U

#define HK_SMP_OS_ECHO       0U
#define HK_SMP_OS_TASKS      2U
#define HK_SMP_OS_RESET      5U
#define HK_SMP_OS_PARAMETERS 6U
#define HK_SMP_OS_INFO       7U
#define HK_SMP_IMAGE_STATE   0U

#define HK_SMP_RECEIVE_BUFFERS 1U
#define HK_SMP_OUT_STATES      4U /* nested maps and lists of a response */
#define HK_SMP_VERSION_SHIFT   3U

static uint8_t image_hash[HK_SMP_HASH_BYTES];
static bool reset_requested;

void hk_smp_set_image_hash(const uint8_t hash[HK_SMP_HASH_BYTES]) {
    memcpy(image_hash, hash, HK_SMP_HASH_BYTES);
}

bool hk_smp_reset_requested(void) {
    return reset_requested;
}

static hk_smp_result_t fitted(bool ok) {
    return ok ? HK_SMP_OK : HK_SMP_EMSGSIZE;
}

static hk_smp_result_t os_echo(const hk_smp_request_t *request) {
    hk_smp_field_t text = {.key = "d", .type = HK_SMP_TEXT};
    if (hk_smp_read_fields(request, &text, 1U, false) != HK_SMP_READ_OK || !text.present) {
        return HK_SMP_EINVAL;
    }
    return fitted(hk_smp_put_text(request->out, "r", text.text, text.n_text));
}

typedef struct {
    const char *name;
    uint32_t priority, id, stack_used, stack_size, switches, runtime;
} hk_smp_task_t;

static bool put_task(zcbor_state_t *out, const hk_smp_task_t *task) {
    return zcbor_tstr_encode_ptr(out, task->name, strlen(task->name)) && zcbor_map_start_encode(out, 9U) &&
           hk_smp_put_uint(out, "prio", task->priority) && hk_smp_put_uint(out, "tid", task->id) &&
           hk_smp_put_uint(out, "state", 0U) && hk_smp_put_uint(out, "stkuse", task->stack_used) &&
           hk_smp_put_uint(out, "stksiz", task->stack_size) && hk_smp_put_uint(out, "cswcnt", task->switches) &&
           hk_smp_put_uint(out, "runtime", task->runtime) && hk_smp_put_uint(out, "last_checkin", 0U) &&
           hk_smp_put_uint(out, "next_checkin", 0U) && zcbor_map_end_encode(out, 9U);
}

/* Two tasks: the audio interrupt and the thread. They share one stack, given in words as mcumgr does. */
static hk_smp_result_t os_tasks(const hk_smp_request_t *request) {
    hk_statistics_t s;
    hk_app_statistics(&s);
    const uint32_t used = s.stack_used_bytes / sizeof(uint32_t);
    const uint32_t size = hk_port_stack_size() / sizeof(uint32_t);
    const uint64_t audio_cycles = s.blocks * s.isr_cycles_mean;
    const hk_smp_task_t audio = {"audio", 0U, 0U, used, size, (uint32_t)s.blocks, (uint32_t)audio_cycles};
    const hk_smp_task_t thread = {"thread", 255U, 1U, used, size, (uint32_t)s.blocks, hk_port_millis()};
    zcbor_state_t *out = request->out;
    return fitted(zcbor_tstr_put_lit(out, "tasks") && zcbor_map_start_encode(out, 2U) && put_task(out, &audio) &&
                  put_task(out, &thread) && zcbor_map_end_encode(out, 2U));
}

static hk_smp_result_t os_info(const hk_smp_request_t *request) {
    hk_smp_field_t format = {.key = "format", .type = HK_SMP_TEXT};
    if (hk_smp_read_fields(request, &format, 1U, false) != HK_SMP_READ_OK) {
        return HK_SMP_EINVAL;
    }
    if (!format.present) {
        format.text = "s";
        format.n_text = 1U;
    } else if (format.n_text == 1U && format.text[0] == 'a') {
        format.text = "srvpio";
        format.n_text = 6U;
    }
    char text[160] = "";
    uint32_t n = 0U;
    for (uint32_t i = 0U; i < format.n_text; i++) {
        const char *word;
        switch (format.text[i]) {
        case 's':
        case 'o':
            word = "Hushkit";
            break;
        case 'r':
        case 'v':
            word = HK_BUILD_VERSION;
            break;
        case 'p':
        case 'm':
            word = HK_BUILD_CORE;
            break;
        case 'i':
            word = HK_BUILD_BOARD;
            break;
        default:
            return HK_SMP_EINVAL; /* mcumgr: an unknown letter refuses the whole format */
        }
        const uint32_t length = (uint32_t)strlen(word);
        if (n + 1U + length > sizeof text) {
            return HK_SMP_EMSGSIZE;
        }
        if (n != 0U) {
            text[n++] = ' ';
        }
        memcpy(text + n, word, length);
        n += length;
    }
    return fitted(hk_smp_put_text(request->out, "output", text, n));
}

static hk_smp_result_t handle_os(const hk_smp_request_t *request) {
    const bool is_read = request->op == HK_SMP_READ;
    switch (request->command) {
    case HK_SMP_OS_ECHO:
        return os_echo(request);
    case HK_SMP_OS_TASKS:
        return is_read ? os_tasks(request) : HK_SMP_ENOTSUP;
    case HK_SMP_OS_RESET:
        if (is_read) {
            return HK_SMP_ENOTSUP;
        }
        reset_requested = true; /* after the response has left */
        return HK_SMP_OK;
    case HK_SMP_OS_PARAMETERS:
        return is_read ? fitted(hk_smp_put_uint(request->out, "buf_size", HK_SMP_RAW) &&
                                hk_smp_put_uint(request->out, "buf_count", HK_SMP_RECEIVE_BUFFERS))
                       : HK_SMP_ENOTSUP;
    case HK_SMP_OS_INFO:
        return is_read ? os_info(request) : HK_SMP_ENOTSUP;
    default:
        return HK_SMP_ENOTSUP;
    }
}

static hk_smp_result_t handle_image(const hk_smp_request_t *request) {
    if (request->command != HK_SMP_IMAGE_STATE || request->op != HK_SMP_READ) {
        return HK_SMP_ENOTSUP; /* one slot: nothing to upload to, test or confirm */
    }
    zcbor_state_t *out = request->out;
    return fitted(zcbor_tstr_put_lit(out, "images") && zcbor_list_start_encode(out, 1U) &&
                  zcbor_map_start_encode(out, 8U) && hk_smp_put_uint(out, "slot", 0U) &&
                  hk_smp_put_text(out, "version", HK_BUILD_VERSION, sizeof HK_BUILD_VERSION - 1U) &&
                  hk_smp_put_bytes(out, "hash", image_hash, HK_SMP_HASH_BYTES) &&
                  hk_smp_put_bool(out, "bootable", true) && hk_smp_put_bool(out, "pending", false) &&
                  hk_smp_put_bool(out, "confirmed", true) && hk_smp_put_bool(out, "active", true) &&
                  hk_smp_put_bool(out, "permanent", false) && zcbor_map_end_encode(out, 8U) &&
                  zcbor_list_end_encode(out, 1U) && hk_smp_put_uint(out, "splitStatus", 0U));
}

static hk_smp_result_t dispatch(uint16_t group, const hk_smp_request_t *request) {
    static const uint8_t empty_map = 0xA0U;
    hk_smp_request_t checked = *request;
    if (checked.n_body == 0U) { /* a command without arguments may come without a body */
        checked.body = &empty_map;
        checked.n_body = 1U;
    } else if (!hk_smp_is_map(checked.body, checked.n_body)) {
        return HK_SMP_EINVAL;
    }
    switch (group) {
    case HK_SMP_GROUP_OS:
        return handle_os(&checked);
    case HK_SMP_GROUP_IMAGE:
        return handle_image(&checked);
    case HK_WIRE_GROUP:
        return hk_smp_headset(&checked);
    default:
        return HK_SMP_ENOTSUP;
    }
}

/* Version 1 of the protocol has no group codes: the nearest of mcumgr's own stands in. */
static bool put_error(zcbor_state_t *out, uint8_t version, uint16_t group, hk_smp_result_t result) {
    if (result.mcumgr != 0U) {
        return hk_smp_put_uint(out, "rc", result.mcumgr);
    }
    if (version == 0U) {
        return hk_smp_put_uint(out, "rc", HK_SMP_EINVAL.mcumgr);
    }
    return zcbor_tstr_put_lit(out, "err") && zcbor_map_start_encode(out, 2U) && hk_smp_put_uint(out, "group", group) &&
           hk_smp_put_uint(out, "rc", result.group) && zcbor_map_end_encode(out, 2U);
}

static void start_body(zcbor_state_t *out, uint8_t *response) {
    zcbor_new_encode_state(out, HK_SMP_OUT_STATES, response + HK_SMP_HEADER, HK_SMP_MAX_PACKET - HK_SMP_HEADER, 1U);
    (void)zcbor_map_start_encode(out, HK_SMP_OUT_STATES); /* one byte into an empty buffer */
}

uint32_t hk_smp_handle(const uint8_t *request, uint32_t n, uint8_t *response) {
    if (n < HK_SMP_HEADER || n > HK_SMP_MAX_PACKET) {
        return 0U;
    }
    const uint8_t op = request[0] & 7U;
    const uint8_t version = request[0] >> HK_SMP_VERSION_SHIFT & 3U;
    const uint32_t n_body = (uint32_t)request[2] << 8 | request[3];
    const uint16_t group = (uint16_t)((uint32_t)request[4] << 8 | request[5]);
    if ((op != HK_SMP_READ && op != HK_SMP_WRITE) || n_body != n - HK_SMP_HEADER || version > 1U) {
        return 0U; /* another server's response, or no packet at all */
    }
    zcbor_state_t out[HK_SMP_OUT_STATES];
    start_body(out, response);
    const hk_smp_request_t parts = {
        .op = op, .command = request[7], .body = request + HK_SMP_HEADER, .n_body = n_body, .out = out};
    const hk_smp_result_t result = dispatch(group, &parts);
    if (result.mcumgr != 0U || result.group != 0U) {
        start_body(out, response); /* drop what the handler may have written */
        if (!put_error(out, version, group, result)) {
            return 0U;
        }
    }
    if (!zcbor_map_end_encode(out, HK_SMP_OUT_STATES)) {
        return 0U;
    }
    const uint32_t length = (uint32_t)(out->payload - (response + HK_SMP_HEADER));
    memcpy(response, request, HK_SMP_HEADER); /* version, group, sequence and command are the request's */
    response[0] = (uint8_t)(request[0] + 1U);
    response[1] = 0U;
    response[2] = (uint8_t)(length >> 8);
    response[3] = (uint8_t)length;
    return HK_SMP_HEADER + length;
}
